@cluster
Feature: Unmounting a volume
  The last reference takes the volume down in order: filesystem, device, export, record. The record is freed last.

  Background:
    Given a cluster of 2 workers
    And a volume db with a conflict delay of 1 s

  @seed-unmount @U1 @mutant:new-id-replaces-others
  Scenario: Other containers still use the volume
    Given container web on worker1 has db mounted
    And container api on worker1 has db mounted
    When container api on worker1 stops
    Then the request succeeds
    And container web can write 2 records to db
    And worker1 owns db
    And worker1 has not begun to release db

  @seed-unmount @U2
  Scenario: The last container stops
    Given container web on worker1 has db mounted
    And container web has written 3 records to db
    When container web on worker1 stops
    Then the request succeeds
    And worker1 has no mount and no device of db
    And db is exported to nobody
    And nobody owns db

  @U2 @order @mutant:free-before-device-down
  Scenario: The volume stays owned until its device is gone
    Given container web on worker1 has db mounted
    And container web has written 3 records to db
    And unmounting a filesystem on worker1 takes 1 s
    When container web on worker1 begins to stop
    Then db is owned by worker1 for as long as worker1 has it mounted
    And nobody owns db within 10 s

  @seed-unmount-else @U4
  Scenario: Unmounting twice is no error
    Given container web on worker1 has db mounted
    When container web on worker1 stops
    And container web on worker1 stops
    Then the request succeeds
    And nobody owns db

  @seed-unmount-else @U4
  Scenario: A node that never mounted the volume unmounts it
    When container web on worker2 stops
    Then the request succeeds
    And nobody owns db

  @U5
  Scenario: An unmount with an id that holds nothing changes nothing
    Given container web on worker1 has db mounted
    When container stranger on worker1 stops
    Then the request succeeds
    And worker1 owns db
    And container web can write 2 records to db

  @U7 @mutant:lazy-unmount
  Scenario: A process still uses the filesystem when the last unmount arrives
    Given container web on worker1 has db mounted
    And a process on worker1 keeps db busy
    When container web on worker1 stops
    Then db is owned by worker1 for as long as worker1 has it mounted
    When the process on worker1 lets db go
    And container web on worker1 stops
    Then nobody owns db within 20 s

  @U8
  Scenario: etcd is away when the last container stops
    Given container web on worker1 has db mounted
    And container web has written 3 records to db
    And worker1 is cut off from etcd
    When container web on worker1 stops
    Then the request succeeds within 60 s
    And worker1 has db no longer mounted
    When worker1 is connected to etcd again
    Then nobody owns db within 30 s
    And db is exported to nobody

  @U9 @mutant:ignore-release-errors
  Scenario: The array cannot be managed when the last container stops
    Given container web on worker1 has db mounted
    And container web has written 3 records to db
    And worker1 is cut off from the array's management
    When container web on worker1 begins to stop
    Then worker1 has db no longer mounted within 10 s
    And the stop of container web is answered within 60 s
    And worker1 owns db
    When worker1 is connected to the array's management again
    Then nobody owns db within 60 s
    And db is exported to nobody

  @U11
  Scenario: The last container stops while another node takes the volume over
    Given a volume hot with a conflict delay of 0 s
    And container web on worker1 has hot mounted
    And container web has written 3 records to hot
    When container api on worker2 begins to mount hot
    And container web on worker1 begins to stop
    Then the mount of container api succeeds within 10 s
    And container api reads all 3 records of hot
    And worker1 has no mount and no device of hot within 20 s
    And hot is exported to worker2 only

  @U12
  Scenario: The volume was removed from the array behind the plugin's back
    Given container web on worker1 has db mounted
    And an administrator removes db from the array by force
    When container web on worker1 stops
    Then the request succeeds within 60 s
    And worker1 has no mount and no device of db within 10 s
    And nobody owns db within 10 s

  @U13 @X2
  Scenario: The unmount was never sent, because the host crashed
    Given container web on worker1 has db mounted
    And container api on worker1 has db mounted
    And worker1 loses power
    When worker1 boots again
    And container api on worker1 mounts db
    Then the mount succeeds within 10 s
    When container api on worker1 stops
    Then nobody owns db

  @U14
  Scenario: kubelet repeats the unmount four times
    Given pod shop on worker1 has db mounted
    When pod shop on worker1 stops 4 times
    Then the request succeeds
    And nobody owns db
