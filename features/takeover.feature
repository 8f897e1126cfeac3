@cluster
Feature: Taking a volume over from another node
  Another node owns the volume. It gets the conflict delay to let go; then every export of the volume is removed,
  the removal is read back over the other interface of the array, and only then the volume is exported to the new node.

  Background:
    Given a cluster of 3 workers

  @seed-case-1 @M1
  Scenario: The owner lets go within the delay, and no force is used
    Given a volume db with a conflict delay of 20 s
    And container web on worker1 has db mounted
    And container web has written 5 records to db
    When container api on worker2 begins to mount db
    And worker2 waits for db
    And container web on worker1 stops
    Then the mount of container api succeeds within 5 s
    And worker1 is not in quarantine for db
    And container api reads all 5 records of db

  @seed-case-1 @M2
  Scenario: The owner is dead, and the volume is forced after the delay
    Given a volume db with a conflict delay of 2 s
    And a volume logs
    And container web on worker1 has db mounted
    And container log on worker1 has logs mounted
    And container web has written 5 records to db
    When worker1 loses power
    And container api on worker2 mounts db
    Then the mount succeeds within 12 s
    And it took at least 1 s
    And worker2 owns db
    And db is exported to worker2 only
    And logs is exported to worker1 only
    And container api reads all 5 records of db

  @M22 @mutant:revoke-needs-port @mutant:revoke-before-claim
  Scenario: Without a delay the volume is taken at once
    Given a volume db with a conflict delay of 0 s
    And container web on worker1 has db mounted
    And container web has written 5 records to db
    When worker1 is cut off from etcd
    And container api on worker2 mounts db
    Then the mount succeeds within 8 s
    And no write of container web on worker1 is accepted any more
    And container api reads all 5 records of db
    When container web on worker1 dies
    And worker1 is connected to etcd again
    Then worker1 has no mount and no device of db within 20 s

  @M23
  Scenario: A delay longer than the caller waits is resumed, not restarted
    Given hpe.conf says "mount_deadline = 2"
    And a volume db with a conflict delay of 5 s
    And container web on worker1 has db mounted
    And worker1 loses power
    When container api on worker2 mounts db
    Then the request is refused with "in progress"
    When container api on worker2 mounts db until it succeeds
    Then the mount succeeds within 10 s
    And worker2 owns db

  @M7 @mutant:record-alone-says-free
  Scenario: The record is free but the array still exports the volume to a node
    Given a volume db with a conflict delay of 1 s
    And container web on worker1 has db mounted
    And container web has written 2 records to db
    And worker1 loses power
    And the record of db was emptied by hand
    When container api on worker2 mounts db
    Then the mount succeeds within 12 s
    And it took at least 1 s
    And worker1 is in quarantine for db
    And db is exported to worker2 only
    And container api reads all 2 records of db

  @M8
  Scenario: The array exports the volume to nobody, because an earlier takeover stopped half way
    Given a volume db with a conflict delay of 60 s
    And container web on worker1 has db mounted
    And worker1 loses power
    And an administrator removes every export of db
    When container api on worker2 mounts db
    Then the mount succeeds within 10 s
    And worker2 owns db

  @M9
  Scenario: An export to a host that is no node of the cluster is not touched
    Given a volume db with a conflict delay of 0 s
    And container web on worker1 has db mounted
    And an administrator exports db to host backup01
    When container api on worker2 mounts db
    Then the request is refused with "backup01"
    And container web can write 2 records to db
    And an administrator removes the export of db to host backup01

  @M9
  Scenario: With fence_unknown_hosts a foreign export is removed as well
    Given hpe.conf says "fence_unknown_hosts = true"
    And a volume db with a conflict delay of 0 s
    And container web on worker1 has db mounted
    And an administrator exports db to host backup01
    When container api on worker2 mounts db
    Then the mount succeeds within 10 s
    And db is exported to worker2 only

  @M10
  Scenario: The owner comes back from a reboot and finds its volume exported to another node
    Given a volume db with a conflict delay of 0 s
    And a volume logs
    And container log on worker2 has logs mounted
    And container web on worker1 has db mounted
    And container web has written 3 records to db
    And worker1 loses power
    And an administrator removes every export of db
    And an administrator exports db to worker2
    When worker1 boots again
    And container web on worker1 mounts db
    Then the mount succeeds within 10 s
    And db is exported to worker1 only
    And container web reads all 3 records of db

  @M13 @mutant:write-without-compare @mutant:stale-permit-counts
  Scenario: Two nodes ask at once for the volume of a dead node
    Given a volume db with a conflict delay of 1 s
    And container web on worker1 has db mounted
    And container web has written 4 records to db
    And worker1 loses power
    When container api on worker2 begins to mount db
    And container job on worker3 begins to mount db
    Then exactly one of the mounts of container api and container job succeeds first
    And the first of them reads all 4 records of db
    And the other one gets db only after the first has lost it

  @M13 @herd @mutant:lost-claim-is-success
  Scenario: All nodes ask at once for a volume nobody owns
    Given hpe.conf says "mount_conflict_policy = refuse"
    And a volume db
    When container a on worker1 begins to mount db
    And container b on worker2 begins to mount db
    And container c on worker3 begins to mount db
    Then exactly one of the mounts of container a, b and c succeeds and the others are refused

  @M15 @U3 @seed-unmount-else
  Scenario: The unmount of the old owner arrives after the takeover
    Given a volume db with a conflict delay of 0 s
    And container web on worker1 has db mounted
    And container web has written 3 records to db
    And the plugin on worker1 freezes
    When container api on worker2 mounts db
    Then the mount succeeds within 10 s
    When the plugin on worker1 goes on
    And container web on worker1 stops
    Then the request succeeds
    And worker1 has no mount and no device of db within 10 s
    And worker2 owns db
    And db is exported to worker2 only
    And container api reads all 3 records of db

  @M25 @M2
  Scenario: A record of the earlier plugin names a dead node as owner
    Given a volume db with a conflict delay of 1 s
    And container web on worker1 has db mounted
    And container web has written 3 records to db
    And worker1 loses power
    And the plugin on worker2 is killed
    And the record of db is in the form of the earlier plugin
    When the plugin on worker2 starts again
    And container api on worker2 mounts db
    Then the mount succeeds within 15 s
    And container api reads all 3 records of db
    And db is exported to worker2 only
    And a filesystem was made on db exactly once
    And the record of db still has what the earlier plugin wrote

  @M27
  Scenario: A node dies in the middle of writing, and the journal is replayed
    Given a volume db with a conflict delay of 0 s
    And container web on worker1 has db mounted
    And container web has written 6 records to db
    And container web has 3 records of db not yet flushed
    When worker1 loses power
    And container api on worker2 mounts db
    Then the mount succeeds within 10 s
    And container api reads all 6 records of db
    And a filesystem was made on db exactly once

  @S11
  Scenario: A takeover changes nothing but the volume that is taken over
    Given a volume db with a conflict delay of 0 s
    And a volume logs
    And container web on worker1 has db mounted
    And container log on worker1 has logs mounted
    And worker1 is cut off from etcd
    When container api on worker2 mounts db
    Then the mount succeeds within 10 s
    And container log can write 3 records to logs
    And logs is exported to worker1 only
    And the array still knows host worker1
