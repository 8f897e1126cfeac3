@cluster @emulator
Feature: An array that answers late, twice, wrongly or not at all
  A request whose outcome is unknown is neither repeated nor believed. What the array did is read from the array.

  Background:
    Given a cluster of 3 workers
    And a volume db with a conflict delay of 0 s

  @S12
  Scenario: An export is carried out but never answered
    Given the next export on the array is carried out but its answer is lost
    When container web on worker1 mounts db until it succeeds
    Then the mount succeeds within 20 s
    And db is exported to worker1 only

  @S12 @late-export
  Scenario: An export takes effect long after its request timed out
    Given the next export on the array is held back
    And container web on worker1 begins to mount db
    And the array holds an export of db back
    And the plugin on worker1 is killed
    When container api on worker2 mounts db
    Then the mount succeeds within 15 s
    And container api has written 4 records to db
    When the held export takes effect
    Then db is exported to worker2 only within 20 s
    And container api can write 2 records to db

  @S10
  Scenario: A node sleeps between deciding to fence and fencing
    Given container web on worker1 has db mounted
    And container web has written 3 records to db
    And the next removal of an export is held back
    And container api on worker2 begins to mount db
    And worker2 has claimed db
    And the array holds a removal of db back
    And the plugin on worker2 freezes
    When container web on worker1 dies
    And container web on worker1 mounts db until it succeeds
    And container web has written 3 records to db
    And the held removal takes effect
    Then container web can write 2 records to db
    When the plugin on worker2 goes on
    Then the mount of container api is refused or succeeds
    And every acknowledged record of db can be read on the last owner

  @S12 @late-export @mutant:reuse-lun-number
  Scenario: An export whose answer was given up takes effect when its node has lost the volume
    Given hpe.conf says "one_host = false"
    And a volume hot with a conflict delay of 0 s
    And the next export on the array is held back
    And container web on worker1 begins to mount hot
    And the array holds an export of hot back
    And the mount of container web succeeds within 20 s
    And container web has written 3 records to hot
    And container web has 3 records of hot not yet flushed
    And the plugin on worker1 freezes
    And container api on worker2 mounts hot
    And the mount succeeds within 15 s
    And container api has written 4 records to hot
    When the held export takes effect
    Then no write of container web on worker1 is accepted any more
    And container api can write 2 records to hot
    When container web on worker1 dies
    And the plugin on worker1 goes on
    Then worker1 has no mount and no device of hot within 20 s
    And hot is exported to worker2 only within 30 s

  @S12 @mutant:skip-validation
  Scenario: An export is answered after another node has taken the volume
    Given hpe.conf says "one_host = false"
    And hpe.conf says "array_timeout = 20"
    And a volume hot with a conflict delay of 0 s
    And the next export on the array takes 4 s
    And container web on worker1 begins to mount hot
    And the array is busy with the export
    And container api on worker2 mounts hot
    And the mount succeeds within 4 s
    And container api has written 4 records to hot
    Then the mount of container web is refused or succeeds
    And every acknowledged record of hot can be read on the last owner

  @S12
  Scenario: A node sleeps between its export and its mount and loses the volume meanwhile
    Given the next export on the array is held back
    And container web on worker1 begins to mount db
    And the array holds an export of db back
    And the plugin on worker1 freezes
    And container api on worker2 mounts db
    And the mount succeeds within 15 s
    And container api has written 3 records to db
    When the held export takes effect
    And the plugin on worker1 goes on
    Then the mount of container web is refused or succeeds
    And every acknowledged record of db can be read on the last owner

  @M20 @S1
  Scenario: A removal is accepted but takes effect later
    Given container web on worker1 has db mounted
    And container web has written 3 records to db
    And the array removes exports 2 s after it said so
    And worker1 is cut off from etcd
    When container api on worker2 mounts db
    Then the mount succeeds within 20 s
    And it took at least 2 s
    And db is exported to worker2 only
    And container api reads all 3 records of db

  @M20 @S1 @mutant:skip-read-back @mutant:revoke-first-host-only
  Scenario: The command line answers that it removed an export, and did not
    Given hpe.conf says "one_host = false"
    And a volume hot with a conflict delay of 0 s
    And container web on worker1 has hot mounted
    And container web has written 3 records to hot
    And removevlun on the command line does nothing
    And worker1 is cut off from etcd
    When container api on worker2 mounts hot
    Then the mount succeeds within 20 s
    And hot is exported to worker2 only
    And container api reads all 3 records of hot

  @M18
  Scenario: The command line is away, and exports are removed over REST
    Given container web on worker1 has db mounted
    And worker2 is cut off from the array's command line
    When container api on worker2 mounts db
    Then the mount succeeds within 20 s or is refused with "array"
    And the volume db has never two exporters

  @M18 @L6
  Scenario: The array cannot be managed: what is mounted goes on, what is not is refused
    Given container web on worker1 has db mounted
    And all workers are cut off from the array's management
    When container log on worker1 mounts db
    Then the mount succeeds within 3 s
    When container api on worker2 mounts db with a limit of 20 s
    Then the mount fails
    And db is exported to worker1 only
    And container web can write 2 records to db

  @M17 @L5
  Scenario: etcd is away: what is mounted goes on, what is not is refused quickly
    Given container web on worker1 has db mounted
    And etcd is paused
    When container log on worker1 mounts db
    Then the mount succeeds within 6 s
    And worker1 shows the mount point of db
    When container api on worker2 mounts db
    Then the mount fails within 8 s
    And container web can write 2 records to db
    And etcd goes on

  @M19
  Scenario: The array is too busy just when the export is to be made
    Given container web on worker1 has db mounted
    And the next export on the array is answered with 503
    When container api on worker2 mounts db
    Then the mount succeeds within 20 s
    And db is exported to worker2 only

  @M19
  Scenario: The array is too busy for a while
    Given the array answers the next 2 requests with 503
    When container web on worker1 mounts db until it succeeds
    Then the mount succeeds within 20 s
