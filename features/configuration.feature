@cluster
Feature: A configuration that is wrong
  A plugin that cannot trust its configuration or its array says so in one line and does nothing.

  Scenario Outline: hpe.conf <with>
    Given a cluster of 1 worker
    When worker1 is started with an hpe.conf that <with>
    Then the plugin on worker1 refuses to start and names "<names>"

    Examples:
      | with                            | names               |
      | has no hpe3par_api_url          | hpe3par_api_url     |
      | has a line that is no setting   | line                |
      | has a port that is no number    | san_ssh_port        |
      | has a delay of minus one        | mount_conflict_delay|
      | is missing                      | hpe.conf            |

  @ssh-host-key
  Scenario: The array shows another SSH host key than the one that is known
    Given a cluster of 2 workers
    And a volume db with a conflict delay of 0 s
    And container web on worker1 has db mounted
    And worker2 is started with the known host key of another array
    When container api on worker2 mounts db with a limit of 20 s
    Then worker2 never logged in over SSH
    And the volume db has never two exporters

  @untrusted-certificate
  Scenario: The array shows a certificate that nobody trusts
    Given a cluster of 2 workers
    And a volume db with a conflict delay of 0 s
    And container web on worker1 has db mounted
    And worker2 is started with a certificate authority of somebody else
    When container api on worker2 mounts db with a limit of 20 s
    Then the mount fails
    And db is exported to worker1 only
    And container web can write 2 records to db

  @wrong-password
  Scenario: The password of the array is wrong, and it is in no log
    Given a cluster of 2 workers
    And a volume db with a conflict delay of 0 s
    And container web on worker1 has db mounted
    And worker2 is started with the wrong password
    When container api on worker2 mounts db with a limit of 20 s
    Then the mount fails
    And db is exported to worker1 only

  @newer-records
  Scenario: A newer plugin has written the records in a way this one would misread
    Given a cluster of 2 workers
    And a volume db with a conflict delay of 0 s
    And container web on worker1 has db mounted
    When worker2 is started again after a newer plugin has changed the records
    Then the plugin on worker2 refuses to start and names "/schema"
    And container web can write 2 records to db

  @duplicate-identity @seed-question-1
  Scenario: A cloned machine has the node id of another node
    Given a cluster of 2 workers
    And a volume db with a conflict delay of 0 s
    And container web on worker1 has db mounted
    When worker2 is started with the node id of worker1
    Then worker2 refuses to work and names both machines
    And container web can write 2 records to db
