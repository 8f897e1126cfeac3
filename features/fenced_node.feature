@cluster
Feature: A node that was fenced
  Removing an export is half of fencing. The other half: the node gets the volume back only when nothing of its
  earlier life is left, neither mount nor device nor a write on its way.

  Background:
    Given a cluster of 3 workers
    And a volume db with a conflict delay of 0 s

  @ghost-write @S5 @M16
  Scenario: A fenced node with a dirty cache gets the volume back and never writes the stale cache
    Given container web on worker1 has db mounted
    And container web has written 4 records to db
    And container web has 3 records of db not yet flushed
    And the plugin on worker1 freezes
    And container api on worker2 mounts db
    And the mount succeeds within 10 s
    And container api has written 5 records to db
    And container api on worker2 stops
    When the plugin on worker1 goes on
    And container web on worker1 dies
    And container web on worker1 mounts db until it succeeds
    Then the mount succeeds within 20 s
    And container web reads all records of db written by container api
    And no write of the first life of worker1 was accepted

  @ghost-write @W3
  Scenario: A volume goes to and fro, and a dirty cache is left behind each time
    When db moves between worker1 and worker2 3 times with a dirty cache left behind each time
    Then every acknowledged record of db can be read on the last owner

  @L10
  Scenario: A fenced node cleans itself up without a reboot
    Given container web on worker1 has db mounted
    And container web has written 3 records to db
    And container web has 2 records of db not yet flushed
    When container api on worker2 mounts db
    Then the mount succeeds within 10 s
    When container web on worker1 dies
    Then worker1 has no mount and no device of db within 30 s
    And worker1 is not in quarantine for db within 30 s

  @S7 @M16 @mutant:already-mounted-is-success @mutant:leave-devices
  Scenario: A node that was fenced while it could not know is asked for another container
    Given container web on worker1 has db mounted
    And container web has written 3 records to db
    And worker1 is cut off from etcd
    And container api on worker2 mounts db
    And the mount succeeds within 10 s
    And container api has written 3 records to db
    When worker1 is connected to etcd again
    And container job on worker1 mounts db
    Then worker2 owns db or the mount has taken it back

  @M16 @mutant:export-to-quarantined @mutant:own-namespace-is-idle
  Scenario: A fenced node that cannot get clean is not given the volume
    Given container web on worker1 has db mounted
    And container web has 2 records of db not yet flushed
    And a process on worker1 keeps db busy
    And container api on worker2 mounts db
    And the mount succeeds within 10 s
    And container api on worker2 stops
    When container web on worker1 dies
    And container web on worker1 mounts db
    Then the request is refused with "quarantine"
    And db is exported to nobody
    When worker1 reboots
    And container web on worker1 mounts db until it succeeds
    Then the mount succeeds within 15 s

  @in-flight @S2
  Scenario: A write on its way when the volume is fenced is not accepted afterwards
    Given container web on worker1 has db mounted
    And container web has written 3 records to db
    And a write of container web is held on its way to the array
    When container api on worker2 mounts db
    Then the mount succeeds within 10 s
    When the held write reaches the array
    Then the held write is refused
    And container api reads all 3 records of db

  @lun-reuse @M26 @S7
  Scenario: A stale device of another volume sits at the LUN number of the new export
    Given worker2 has a stale device of another volume at its next LUN number
    When container api on worker2 mounts db
    Then the mount succeeds within 20 s or is refused with "WWN"
    And no write of worker2 reached a volume other than db

  @lun-reuse @M26 @S7
  Scenario: Another volume answers at the very LUN number that the export got
    Given a volume other with a conflict delay of 0 s
    And container web on worker1 has other mounted
    And container web has written 3 records to other
    And worker2 is shown volume other at whatever LUN number it gets
    When container api on worker2 mounts db
    Then the request is refused with "WWN"
    And db is exported to nobody
    And nobody owns db
    And worker2 has no mount and no device of other
    And a filesystem was made on db exactly 0 times
    And a filesystem was made on other exactly 1 times
    And no write of worker2 reached a volume other than db
    And container web can write 2 records to other
    When worker2 is shown what the array exports and volume other no more
    And container api on worker2 mounts db until it succeeds
    Then the mount succeeds within 20 s
    And container api can write 2 records to db

  @lun-reuse @S10 @mutant:lowest-lun
  Scenario: Every export of a volume to a host has a LUN number of its own
    When container web on worker1 mounts and unmounts db 4 times
    Then db was exported to worker1 with 4 different LUN numbers

  @U10
  Scenario: A node without its storage network can still stop its container
    Given hpe.conf says "unmount_deadline = 4"
    And container web on worker1 has db mounted
    And container web has 2 records of db not yet flushed
    And worker1 is cut off from the storage network
    When container web on worker1 begins to stop
    Then the stop of container web is answered within 10 s
    When worker1 is connected to the storage network again
    And container web on worker1 stops
    Then worker1 has no mount and no device of db within 30 s
    And nobody owns db within 30 s

  @management-partition @S2
  Scenario: A node loses its management network only, and goes on writing until it is fenced
    Given container web on worker1 has db mounted
    And container web has written 3 records to db
    And worker1 is cut off from etcd
    And worker1 is cut off from the array's management
    And container web can write 2 records to db
    When container api on worker2 mounts db
    Then the mount succeeds within 10 s
    And no write of container web on worker1 is accepted any more
    And container api reads all 5 records of db
    When container web on worker1 dies
    And worker1 is connected to everything again
    Then worker1 has no mount and no device of db within 30 s
