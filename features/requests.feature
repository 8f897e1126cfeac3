@cluster
Feature: Requests that dockerd never meant to send
  A request that makes no sense is refused with a reason and has no effect.

  Background:
    Given a cluster of 1 worker
    And a volume db
    And container web on worker1 has db mounted

  @M30
  Scenario Outline: A mount request that says <what>
    When worker1 is sent "<endpoint>" with the body
      """
      <body>
      """
    Then the answer is an error and no volume changed

    Examples:
      | what                 | endpoint             | body                                          |
      | nothing at all       | VolumeDriver.Mount   |                                               |
      | no id                | VolumeDriver.Mount   | {"Name": "db"}                                |
      | an empty id          | VolumeDriver.Mount   | {"Name": "db", "ID": ""}                      |
      | no name              | VolumeDriver.Mount   | {"ID": "0123456789abcdef"}                    |
      | broken JSON          | VolumeDriver.Mount   | {"Name": "db", "ID": "0123                    |
      | a list               | VolumeDriver.Mount   | ["db"]                                        |
      | a number for a name  | VolumeDriver.Mount   | {"Name": 7, "ID": "0123456789abcdef"}         |
      | a path for a name    | VolumeDriver.Mount   | {"Name": "../../etc", "ID": "0123456789abcd"} |
      | an unknown volume    | VolumeDriver.Mount   | {"Name": "nosuch", "ID": "0123456789abcdef"}  |
      | an unmount of nothing| VolumeDriver.Unmount |                                               |
      | a remove of nothing  | VolumeDriver.Remove  |                                               |
      | a name with a slash  | VolumeDriver.Create  | {"Name": "a/b", "Opts": {}}                   |
      | a negative size      | VolumeDriver.Create  | {"Name": "neg", "Opts": {"size": "-1"}}       |
      | an unknown option    | VolumeDriver.Create  | {"Name": "opt", "Opts": {"sise": "1"}}        |

  @M30
  Scenario: Fields the plugin does not know are ignored
    When worker1 is sent "VolumeDriver.Mount" with the body
      """
      {"Name": "db", "ID": "00000000000000000000000000000000000000000000000000000000000000aa", "Opts": null, "Future": {"a": 1}}
      """
    Then the answer is a mount point
    When worker1 is sent "VolumeDriver.Unmount" with the body
      """
      {"Name": "db", "ID": "00000000000000000000000000000000000000000000000000000000000000aa", "Future": true}
      """
    Then the answer is no error
    And container web can write 1 records to db

  @limits
  Scenario: A request of many megabytes is refused
    When worker1 is sent a mount request of 32 MiB
    Then the answer is an error and no volume changed

  @limits
  Scenario: An endpoint that does not exist is refused
    When worker1 is sent "VolumeDriver.Format" with the body
      """
      {"Name": "db"}
      """
    Then the answer is an error and no volume changed

  @C1 @X4
  Scenario: dockerd repeats a request whose connection broke, by then with an empty body
    When worker1 is sent "VolumeDriver.Mount" with the body
      """
      """
    Then the answer is an error and no volume changed
    And container web can write 2 records to db

  @names
  Scenario: Names as long and as odd as Docker allows
    When worker1 creates a volume whose name has 255 characters
    Then the request succeeds or is refused with a reason
    When worker1 creates volume Some_Volume-2
    Then the request succeeds
    And the list of volumes on worker1 has Some_Volume-2
