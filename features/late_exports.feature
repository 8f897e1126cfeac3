@cluster
Feature: A kernel that finds LUNs by itself
  On Fibre Channel a kernel attaches what is exported to it without being asked. A node with such a kernel must not mount
  beside an export request of its own that may still take effect: the late path would bring a map back to life that it lost.

  Background:
    Given a cluster of 2 workers whose kernels find LUNs by themselves

  @S12 @late-export @mutant:mount-beside-late-export
  Scenario: An export that got no answer is waited for by its own node only
    Given hpe.conf says "one_host = false"
    And a volume db with a conflict delay of 0 s
    And the next export on the array is held back
    And container web on worker1 begins to mount db
    And the array holds an export of db back
    And the plugin on worker1 is killed
    When the plugin on worker1 starts again
    And container web on worker1 mounts db with a limit of 10 s
    Then the mount fails
    When container api on worker2 mounts db
    Then the mount succeeds within 10 s
    And container api has written 4 records to db
    When the held export takes effect
    Then db is exported to worker2 only within 20 s
    And container api can write 2 records to db
    When container api on worker2 stops
    And container web on worker1 mounts db
    Then the mount succeeds within 20 s
    And container web reads all 6 records of db
