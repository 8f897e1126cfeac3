@cluster
Feature: Mounting a volume that this node owns already
  Containers of one node share a volume. A further mount is a reference more and nothing else.

  Background:
    Given a cluster of 2 workers
    And a volume db with a conflict delay of 1 s

  @seed-case-3 @M4
  Scenario: A second container on the same node costs the array nothing
    Given container web on worker1 has db mounted
    When the array's requests are counted
    And container api on worker1 mounts db
    Then the mount succeeds within 2 s
    And the array was asked nothing
    And container web and container api on worker1 share one mount of db

  @M5
  Scenario: The node rebooted and the same container starts again
    Given container web on worker1 has db mounted
    And container web has written 4 records to db
    And worker1 loses power
    When worker1 boots again
    And container web on worker1 mounts db
    Then the mount succeeds within 10 s
    And container web reads all 4 records of db
    When container web on worker1 stops
    Then nobody owns db
    And db is exported to nobody

  @M6 @mutant:record-vouches-for-mount
  Scenario: The mount vanished under the running plugin
    Given container web on worker1 has db mounted
    And container web has written 4 records to db
    And container web on worker1 dies
    And an administrator unmounts db on worker1 by hand
    When container api on worker1 mounts db
    Then the mount succeeds within 10 s
    And container api reads all 4 records of db

  @M6
  Scenario: The mount vanished from the host but a container still has it
    Given container web on worker1 has db mounted
    And container web has written 4 records to db
    And an administrator unmounts db on worker1 by hand
    When container api on worker1 mounts db
    Then the mount succeeds within 10 s
    And container api reads all 4 records of db
    And container web can write 2 records to db
    When container web on worker1 stops
    And container api on worker1 stops
    Then nobody owns db

  @M11
  Scenario: The same mount request arrives again while the first is running
    Given the array takes 1 s for every export
    When pod shop on worker1 begins to mount db
    And pod shop on worker1 begins to mount db again
    Then both mounts of pod shop answer the same mount point
    And db is exported to worker1 only
    And db was exported exactly once
    When pod shop on worker1 stops
    Then nobody owns db

  @M12 @U7 @docker-cp @mutant:ids-are-a-set
  Scenario: docker cp on a running container uses the container's own mount id
    Given container web on worker1 has db mounted
    When docker cp mounts db for container web on worker1
    And docker cp unmounts db for container web on worker1
    Then container web can write 2 records to db
    And worker1 owns db
    And worker1 has not begun to release db
    When container web on worker1 stops
    Then nobody owns db

  @M12 @X1
  Scenario: dockerd died with its containers, and starts one again without ever having unmounted
    Given container web on worker1 has db mounted
    And container web on worker1 dies
    When container web on worker1 mounts db
    Then the mount succeeds within 2 s
    When container web on worker1 stops
    Then nobody owns db
    And db is exported to nobody

  @M12 @dory
  Scenario: kubelet repeats the mount of a pod
    Given pod shop on worker1 has db mounted
    When pod shop on worker1 mounts db
    Then the mount succeeds within 2 s
    When pod shop on worker1 stops
    Then nobody owns db

  @M3 @L5 @mutant:one-lock-for-all
  Scenario: A node that waits for one volume serves the others
    Given a volume hot with a conflict delay of 10 s
    And a volume logs
    And container web on worker1 has hot mounted
    When container api on worker2 begins to mount hot
    And worker2 waits for hot
    And container job on worker2 mounts logs
    Then the mount succeeds within 5 s
    And the mount of container api succeeds within 20 s

  @M28
  Scenario: A further container starts on the owner while another node waits
    Given container web on worker1 has db mounted
    When container api on worker2 begins to mount db
    And worker2 waits for db
    And container job on worker1 mounts db
    Then the mount succeeds within 2 s
    And the mount of container api succeeds within 10 s
    And db is exported to worker2 only

  @M28 @steal-if-dead
  Scenario: A living owner keeps the volume when the policy says so
    Given hpe.conf says "mount_conflict_policy = steal-if-dead"
    And container web on worker1 has db mounted
    When container api on worker2 mounts db
    Then the request is refused with "worker1"
    And container web can write 2 records to db
    When worker1 loses power
    And container api on worker2 mounts db until it succeeds
    Then the mount succeeds within 30 s

  @M14 @refuse
  Scenario: With the policy refuse a volume is never taken
    Given hpe.conf says "mount_conflict_policy = refuse"
    And container web on worker1 has db mounted
    When container api on worker2 mounts db
    Then the request is refused with "worker1"
    And container web can write 2 records to db

  @M14 @L9 @seed-question-4 @mutant:no-thrash-limit
  Scenario: Two replicas that fight for one volume are held and named
    Given a volume shared with a conflict delay of 0 s
    When containers on worker1 and worker2 take shared from each other 3 times
    And the loser mounts shared once more
    Then the request is refused with "scale to one replica"
