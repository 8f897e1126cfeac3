#!/usr/bin/env python3
"""Drives a running emulator with HPE's hpe3par-sdk, unmodified: its models and its way of waiting for tasks."""

import argparse
import importlib.metadata
import os
import sys

from hpe3par_sdk import client

from three_par_client import Checks

CPG = "sdk-cpg"
VOLUME = "sdk-vol"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wsapi", required=True, help="URL ending in /api/v1")
    parser.add_argument("--user", required=True)
    parser.add_argument("--ca", required=True, help="PEM file with the trusted root")
    options = parser.parse_args()
    check = Checks()
    array = client.HPE3ParClient(options.wsapi, secure=options.ca)
    array.login(options.user, os.environ["ARRAY_PASSWORD"])
    array.createCPG(CPG, {"LDLayout": {"RAIDType": 4}})
    check("the CPG is there", array.cpgExists(CPG) and array.getCPG(CPG).name == CPG)
    array.createVolume(VOLUME, CPG, 1024, {"tpvv": True, "snapCPG": CPG})
    check("the volume is there", array.getVolume(VOLUME).size_mib == 1024)
    array.createSnapshot("sdk-snap", VOLUME, {"readOnly": True})
    check("the snapshot is there", array.volumeExists("sdk-snap"))
    task = array.copyVolume(VOLUME, "sdk-clone", CPG, {"online": True, "tpvv": True})
    array.waitForTaskToEnd(task["taskid"], 1)
    check("the clone is done", array.getTask(task["taskid"]).status == 1)
    array.createVolumeSet("sdk-set", setmembers=[VOLUME])
    check("the set is there", array.volumeSetExists("sdk-set"))
    array.createQoSRules("sdk-set", {"ioMinGoal": 1, "ioMaxLimit": 2})
    check("the rule is there", array.qosRuleExists("sdk-set", "vvset"))
    array.deleteQoSRules("sdk-set")
    array.deleteVolumeSet("sdk-set")
    for volume in ["sdk-snap", "sdk-clone", VOLUME]:
        array.deleteVolume(volume)
    array.deleteCPG(CPG)
    check("everything is gone", not array.cpgExists(CPG))
    array.logout()
    print("%d checks with hpe3par-sdk %s passed" % (check.count, importlib.metadata.version("hpe3par-sdk")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
