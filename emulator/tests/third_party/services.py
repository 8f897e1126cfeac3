"""Checks of copies, tasks, QoS, sets, CPGs and remote copy with python-3parclient."""

import time

from hpe3parclient import exceptions

CPG = "third-party-cpg2"
VOLUME = "third-party-src"
SIZE_MIB = 1024
# Copies of empty volumes take half a second; the bound is for a busy machine.
TASK_WITHIN_S = 60


def wait_for(array, check, task, what):
    """Polls a task until it is over; it has to end well."""
    end = time.monotonic() + TASK_WITHIN_S
    row = array.getTask(task)
    while row["status"] == 2 and time.monotonic() < end:
        time.sleep(0.2)
        row = array.getTask(task)
    check(what, row["status"] == 1, row)


def prepare(array, check):
    array.createCPG(CPG, {"growthLimitMiB": 1048576, "LDLayout": {"RAIDType": 4, "diskPatterns": [{"diskType": 3}]}})
    check("the CPG has its limit", array.getCPG(CPG)["SDGrowth"]["limitMiB"] == 1048576)
    space = array.getCPGAvailableSpace(CPG)
    check("the space reporter answers", space["usableFreeMiB"] > 0, space)
    capacity = array.getOverallSystemCapacity()["allCapacity"]
    check("the capacity adds up", capacity["freeMiB"] + capacity["allocated"]["totalAllocatedMiB"] == capacity["totalMiB"],
          capacity)
    array.createVolume(VOLUME, CPG, SIZE_MIB, {"tpvv": True, "snapCPG": CPG})


def snapshots(array, check):
    array.createSnapshot("tp-snap-ro", VOLUME, {"readOnly": True, "expirationHours": 24, "retentionHours": 12})
    array.createSnapshot("tp-snap-rw", VOLUME, {"comment": "writable"})
    row = array.getVolume("tp-snap-ro")
    check("the snapshot names its parent", (row["copyOf"], row["copyType"], row["readOnly"]) == (VOLUME, 3, True), row)
    check("the snapshots are found", sorted(array.getVolumeSnapshots(VOLUME)) == ["tp-snap-ro", "tp-snap-rw"])
    check("the snapshots are found by CPG", "tp-snap-rw" in array.getSnapshotsOfVolume(CPG, VOLUME))
    check.raises("a parent with a read-only snapshot cannot be deleted", exceptions.HTTPConflict, 25,
                 lambda: array.deleteVolume(VOLUME))
    try:
        array.deleteVolume("tp-snap-ro")
    except exceptions.HTTPForbidden:
        check("a retained snapshot cannot be deleted", True)
    else:
        check("a retained snapshot cannot be deleted", False)
    task = array.promoteVirtualCopy("tp-snap-rw", {"priority": 1})["taskid"]
    wait_for(array, check, task, "the promotion ends well")
    array.deleteVolume("tp-snap-rw")


def clones(array, check):
    started = array.copyVolume(VOLUME, "tp-online", CPG, {"online": True, "tpvv": True, "snapCPG": CPG})
    check("the clone is there at once", array.getVolume("tp-online")["sizeMiB"] == SIZE_MIB)
    listed = [task for task in array.getAllTasks()["members"] if task["name"] == "tp-online"]
    check("its task is found by name", len(listed) == 1 and listed[0]["type"] == 18, listed)
    wait_for(array, check, started["taskid"], "the online copy ends well")
    check("the clone stands alone", "copyOf" not in array.getVolume("tp-online"))

    array.createVolume("tp-offline", CPG, SIZE_MIB, {"tpvv": True, "snapCPG": CPG})
    started = array.copyVolume(VOLUME, "tp-offline", CPG, {"online": False, "saveSnapshot": True, "priority": 1})
    wait_for(array, check, started["taskid"], "the offline copy ends well")
    check("its target is a physical copy", array.getVolume("tp-offline")["copyType"] == 2)
    wait_for(array, check, array.resyncPhysicalCopy("tp-offline")["taskid"], "the resynchronisation ends well")

    moved = array.tuneVolume("tp-online", 1, {"action": 6, "userCPG": "SSD_r6", "conversionOperation": 2})
    wait_for(array, check, moved["taskid"], "the conversion ends well")
    row = array.getVolume("tp-online")
    check("it is full now, in the other CPG", (row["provisioningType"], row["userCPG"]) == (1, "SSD_r6"), row)
    array.deleteVolume("tp-online")
    array.deleteVolume("tp-offline")


def sets_and_qos(array, check):
    array.createVolumeSet("tp-set", comment="third party", setmembers=[VOLUME])
    check("the set of the volume is found", array.findVolumeSet(VOLUME) == "tp-set")
    check.raises("a volume in a set cannot be deleted", exceptions.HTTPConflict, 34, lambda: array.deleteVolume(VOLUME))
    array.createSnapshotOfVolumeSet("tp-set-snap-@count@", "tp-set", {"readOnly": True})
    check("the set was copied", array.getVolume("tp-set-snap-0")["copyOf"] == VOLUME)
    array.createQoSRules("tp-set", {"priority": 2, "ioMinGoal": 100, "ioMaxLimit": 1000, "bwMinGoalKB": 1024,
                                    "bwMaxLimitKB": 2048, "latencyGoal": 5, "enable": True})
    rule = array.queryQoSRule("tp-set")
    check("the rule has its bounds", (rule["ioMinGoal"], rule["bwMaxLimitKB"], rule["latencyGoal"]) == (100, 2048, 5), rule)
    check("the set says that it has a rule", array.getVolumeSet("tp-set")["qosEnabled"] is True)
    check.raises("a second rule is code 114", exceptions.HTTPBadRequest, 114,
                 lambda: array.createQoSRules("tp-set", {"ioMinGoal": 1, "ioMaxLimit": 2}))
    array.modifyQoSRules("tp-set", {"ioMinGoal": 200, "ioMaxLimit": 2000})
    check("the rule has changed", array.queryQoSRules()["members"][0]["ioMaxLimit"] == 2000)
    array.deleteQoSRules("tp-set")
    check.raises("the rule is gone", exceptions.HTTPNotFound, 100, lambda: array.queryQoSRule("tp-set"))
    array.createFlashCache(64, 2)
    check("the flash cache is there", array.getFlashCache()["sizeGiB"] == 64)
    array.modifyVolumeSet("tp-set", flashCachePolicy=1)
    check("the set uses it", array.getVolumeSet("tp-set")["flashCachePolicy"] == 1)
    array.deleteFlashCache()
    array.deleteVolume("tp-set-snap-0")
    array.deleteVolumeSet("tp-set")


def remote_copy(array, partner, check):
    """`partner` is the name of the target."""
    target = {"targetName": partner, "mode": 1, "userCPG": "FC_r6", "snapCPG": "FC_r6"}
    array.createRemoteCopyGroup("tp-group", [target], {"localUserCPG": CPG})
    check.raises("the same group again is code 237", exceptions.HTTPConflict, 237,
                 lambda: array.createRemoteCopyGroup("tp-group", [target]))
    array.createVolume("tp-primary", CPG, SIZE_MIB, {"tpvv": True, "snapCPG": CPG})
    mirror = [{"targetName": partner, "secVolumeName": "tp-mirror"}]
    array.addVolumeToRemoteCopyGroup("tp-group", "tp-primary", mirror, {"volumeAutoCreation": True})
    row = array.getRemoteCopyGroupVolume("tp-group", "tp-primary")
    check("the volume has its mirror", row["remoteVolumes"][0]["remoteVolumeName"] == "tp-mirror", row)
    array.startRemoteCopy("tp-group")
    end = time.monotonic() + TASK_WITHIN_S
    while not array.remoteCopyGroupStatusCheck("tp-group") and time.monotonic() < end:
        time.sleep(0.2)
    check("the group is synchronised", array.remoteCopyGroupStatusCheck("tp-group"), array.getRemoteCopyGroup("tp-group"))
    check.raises("a started group is not started again", exceptions.HTTPForbidden, 215,
                 lambda: array.startRemoteCopy("tp-group"))
    array.synchronizeRemoteCopyGroup("tp-group")
    array.stopRemoteCopy("tp-group")
    check("the group has stopped", array.getRemoteCopyGroup("tp-group")["targets"][0]["state"] == 5)
    array.modifyRemoteCopyGroup("tp-group", {"targets": [{"targetName": partner, "mode": 3, "syncPeriod": 300}]})
    check("the group is periodic", array.getRemoteCopyGroup("tp-group")["targets"][0]["syncPeriod"] == 300)
    array.toggleRemoteCopyConfigMirror(partner, mirror_config=False)
    array.removeVolumeFromRemoteCopyGroup("tp-group", "tp-primary", removeFromTarget=True, useHttpDelete=True)
    array.removeRemoteCopyGroup("tp-group")
    check.raises("the group is gone", exceptions.HTTPNotFound, 187, lambda: array.getRemoteCopyGroup("tp-group"))
    array.deleteVolume("tp-primary")


def run(array, partner, check):
    prepare(array, check)
    snapshots(array, check)
    clones(array, check)
    sets_and_qos(array, check)
    remote_copy(array, partner, check)
