@cluster
Feature: Mounting a volume that nobody uses
  A volume with no owner is exported to the node that asks, formatted once in its life, and mounted without any delay.

  Background:
    Given a cluster of 2 workers

  @seed-case-2 @M3
  Scenario: A volume nobody owns is mounted at once, whatever its conflict delay
    Given a volume db with a conflict delay of 30 s
    When container web on worker1 mounts db
    Then the mount succeeds within 10 s
    And worker1 owns db
    And db is exported to worker1 only
    And container web can write 3 records to db

  @M3 @mkfs
  Scenario: A filesystem is made once in the life of a volume
    Given a volume db
    And container web on worker1 has db mounted
    And container web has written 5 records to db
    When container web on worker1 stops
    And container api on worker2 mounts db
    Then the mount succeeds within 10 s
    And container api reads all 5 records of db
    And a filesystem was made on db exactly once

  @M4 @get
  Scenario: What Docker asks about a mounted volume
    Given a volume db
    And container web on worker1 has db mounted
    Then worker1 shows the mount point of db
    And worker2 shows db without a mount point
    And the list of volumes on worker2 has db
    And the scope of the driver is global

  @M24
  Scenario: A snapshot made by the earlier plugin follows the same rules
    Given a volume db
    And container web on worker1 has db mounted
    And container web has written 4 records to db
    And container web on worker1 stops
    And the earlier plugin left a snapshot nightly of db
    When container api on worker2 mounts nightly
    Then the mount succeeds within 10 s
    And nightly is exported to worker2 only
    When container job on worker1 mounts nightly
    Then the mount succeeds within 10 s
    And nightly is exported to worker1 only
    And a filesystem was made on nightly exactly 0 times

  @dory
  Scenario: dory creates and mounts a volume for a pod, with numbers where Docker sends text
    When worker1 creates volume pv as dory does
    Then the request succeeds
    When pod shop on worker2 mounts pv
    Then the mount succeeds within 10 s
    And pod shop can write 2 records to pv

  @X7
  Scenario: Creating one volume from all nodes at once makes one volume
    When all workers create volume db at once
    Then every create succeeds
    And the array has one volume for db

  @D19 @mutant:remove-ignores-owner
  Scenario: A volume that is mounted on another node cannot be removed
    Given a volume db
    And container web on worker1 has db mounted
    When worker2 removes db
    Then the request is refused with "worker1"
    And container web can write 2 records to db

  @remove
  Scenario: A volume nobody uses is removed from the array and from the list
    Given a volume db
    When worker2 removes db
    Then the request succeeds
    And the array has no volume for db
    And worker1 does not know db any more

  @D17 @mutant:shared-host
  Scenario: Two nodes are one host of the array
    Given a volume db with a conflict delay of 0 s
    And a volume logs
    And container web on worker1 has db mounted
    And an administrator makes the initiator of worker2 one of host worker1
    When container api on worker2 mounts logs
    Then the request is refused with "initiators that are not this node's"
    And container web can write 2 records to db
    And logs is exported to nobody
    And an administrator takes the initiator of worker2 out of host worker1

  @M26 @mutant:failed-mounts-stay
  Scenario: A mount that fails half way leaves nothing behind
    Given a volume db with a conflict delay of 0 s
    And worker1 is cut off from the storage network
    When container web on worker1 mounts db with a limit of 60 s
    Then the mount fails
    And db is exported to nobody
    And nobody owns db
    And worker1 has no mount and no device of db
