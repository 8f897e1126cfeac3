@cluster
Feature: Plugins and machines that die at the worst moment
  Whatever dies in the middle, the next request repairs it, without a person.

  Background:
    Given a cluster of 3 workers
    And a volume db with a conflict delay of 0 s

  @L7
  Scenario: The plugin restarts under a running container
    Given container web on worker1 has db mounted
    And container web has written 2 records to db
    When the plugin on worker1 is killed
    And the plugin on worker1 starts again
    Then container web can write 2 records to db
    And worker1 owns db
    When container web on worker1 stops
    Then nobody owns db within 10 s
    And worker1 has no mount and no device of db

  @L3 @S10
  Scenario: The node that takes a volume over dies half way, and a third node goes on
    Given container web on worker1 has db mounted
    And container web has written 4 records to db
    And the next export on the array is held back
    And container api on worker2 begins to mount db
    And the array holds an export of db back
    When the plugin on worker2 is killed
    And container job on worker3 mounts db
    Then the mount succeeds within 15 s
    And container job reads all 4 records of db
    When the held export takes effect
    Then db is exported to worker3 only within 20 s

  @L3
  Scenario: The node that takes a volume over restarts half way and is asked again
    Given container web on worker1 has db mounted
    And container web has written 4 records to db
    And the next export on the array is held back
    And container api on worker2 begins to mount db
    And the array holds an export of db back
    When the plugin on worker2 is killed
    And the held export takes effect
    And the plugin on worker2 starts again
    And container api on worker2 mounts db until it succeeds
    Then the mount succeeds within 20 s
    And container api reads all 4 records of db
    And db is exported to worker2 only

  @L3 @U2
  Scenario: The plugin dies in the middle of an unmount
    Given container web on worker1 has db mounted
    And container web has written 4 records to db
    And unmounting a filesystem on worker1 takes 1 s
    And container web on worker1 begins to stop
    And worker1 is releasing db
    When the plugin on worker1 is killed
    And container api on worker2 mounts db
    Then the mount succeeds within 15 s
    And container api reads all 4 records of db
    When the plugin on worker1 starts again
    Then worker1 has no mount and no device of db within 30 s
    And db is exported to worker2 only

  @etcd-restart
  Scenario: etcd dies and comes back with its data
    Given container web on worker1 has db mounted
    And container web has written 2 records to db
    When etcd is killed and started again
    And container api on worker2 mounts db until it succeeds
    Then the mount succeeds within 20 s
    And container api reads all 2 records of db

  @clean-stop
  Scenario: The plugin is stopped in good order and leaves mounts alone
    Given container web on worker1 has db mounted
    When the plugin on worker1 is told to stop
    Then the plugin on worker1 ends within 10 s
    And container web can write 2 records to db
    When the plugin on worker1 starts again
    And container web on worker1 stops
    Then nobody owns db within 10 s
