#!/usr/bin/env python3
"""Drives a running emulator with HPE's own python-3parclient, unmodified.

Checks that the client can log in, create, find, export, read back and delete
objects over WSAPI, and that its interactive way of using the SSH command line
gets what it expects. Exit status 0 means that every check held.
"""

import argparse
import importlib.metadata
import os
import sys
import tempfile

import services
from hpe3parclient import client, exceptions

VOLUME = "third-party-vol"
HOST = "third-party-host"
HOST_SET = "third-party-hosts"
CPG = "third-party-cpg"
IQN = "iqn.1994-05.com.example:third-party"
SIZE_MIB = 1024


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wsapi", required=True, help="URL ending in /api/v1")
    parser.add_argument("--ssh", required=True, help="HOST:PORT")
    parser.add_argument("--user", required=True)
    parser.add_argument("--ca", help="PEM file with the trusted root")
    parser.add_argument("--partner", required=True, help="name of the remote copy target")
    parser.add_argument("--ssh-host-key", required=True, help="ssh-ed25519 AAAA...")
    return parser.parse_args()


class Checks:
    """Counts and prints what was checked; a failed check ends the run."""

    def __init__(self):
        self.count = 0

    def __call__(self, what, holds, seen=None):
        self.count += 1
        print("%s %d %s" % ("ok" if holds else "FAILED", self.count, what))
        if not holds:
            raise SystemExit("%s: got %r" % (what, seen))

    def raises(self, what, kind, code, call):
        try:
            call()
        except kind as error:
            self(what, error.get_code() == code, error)
        else:
            self(what, False, "no exception")


def connect(options, password, known_hosts):
    array = client.HPE3ParClient(options.wsapi, secure=options.ca or False)
    host, port = options.ssh.rsplit(":", 1)
    with open(known_hosts, "w") as file:
        file.write("[%s]:%s %s\n" % (host, port, options.ssh_host_key))
    array.setSSHOptions(host, options.user, password, port=int(port), conn_timeout=20,
                        known_hosts_file=known_hosts, missing_key_policy="RejectPolicy")
    return array


def login(array, options, password, check):
    version = array.getWsApiVersion()
    check("GET /api tells the version", version["build"] >= 30103230, version)
    check.raises("a wrong password is refused with code 5", exceptions.HTTPForbidden, 5,
                 lambda: array.login(options.user, password + "x"))
    array.login(options.user, password)
    check("login gives a session key", bool(array.get_session_key()))
    system = array.getStorageSystemInfo()
    check("/system names licences", any("Thin Provisioning" in entry["name"]
                                        for entry in system["licenseInfo"]["licenses"]), system)
    ports = array.getPorts()
    check("/ports has ready target ports", any(port["linkState"] == 4 and port["mode"] == 2
                                               for port in ports["members"]), ports)
    check("/ports has iSCSI ports with names", len(array.getiSCSIPorts(4)) >= 1
          and all(port["iSCSIName"] for port in array.getiSCSIPorts(4)))
    check("/ports has Fibre Channel ports", len(array.getFCPorts(4)) >= 1)
    check("/tasks is never empty", array.getAllTasks()["total"] > 0)


def create(array, check):
    array.createCPG(CPG, {"LDLayout": {"RAIDType": 4, "diskPatterns": [{"diskType": 1}]}})
    check("the CPG is there", array.getCPG(CPG)["name"] == CPG)
    array.createVolume(VOLUME, CPG, SIZE_MIB, {"tpvv": True, "comment": "by python-3parclient"})
    volume = array.getVolume(VOLUME)
    check("the volume has its size", volume["sizeMiB"] == SIZE_MIB, volume)
    check("the volume has a WWN", len(volume["wwn"]) == 32, volume)
    check("the volume is in the list", any(v["name"] == VOLUME for v in array.getVolumes()["members"]))
    check.raises("the same volume again is code 22", exceptions.HTTPConflict, 22,
                 lambda: array.createVolume(VOLUME, CPG, SIZE_MIB))
    array.growVolume(VOLUME, 256)
    check("the volume has grown", array.getVolume(VOLUME)["sizeMiB"] == SIZE_MIB + 256)
    array.setVolumeMetaData(VOLUME, "owner", "third party")
    check("a key of the volume is kept", array.getVolumeMetaData(VOLUME, "owner")["value"] == "third party")

    array.createHost(HOST, iscsiNames=[IQN])
    check("the host has its path", array.getHost(HOST)["iSCSIPaths"][0]["name"] == IQN)
    found = array.queryHost(iqns=[IQN])
    check("the host is found by its path", [h["name"] for h in found["members"]] == [HOST], found)
    check("an unknown path finds nothing", array.queryHost(iqns=[IQN + "x"])["total"] == 0)
    check.raises("the path on another host is code 73", exceptions.HTTPConflict, 73,
                 lambda: array.createHost("another", iscsiNames=[IQN]))
    array.createHostSet(HOST_SET, setmembers=[HOST])
    check("the host is in its set", array.getHostSet(HOST_SET)["setmembers"] == [HOST])
    check("the set of the host is found over SSH", array.findHostSet(HOST) == HOST_SET, array.findHostSet(HOST))


def export(array, check):
    location = array.createVLUN(VOLUME, hostname=HOST, auto=True)
    fields = location.split(",")
    check("Location names volume, LUN and host", fields[0] == VOLUME and fields[2] == HOST, location)
    lun = int(fields[1])
    vlun = array.getVLUN(VOLUME)
    check("the VLUN is found by volume", (vlun["lun"], vlun["hostname"]) == (lun, HOST), vlun)
    check("the VLUN is found by host", [v["lun"] for v in array.getHostVLUNs(HOST)] == [lun])
    check.raises("an exported volume cannot be deleted", exceptions.HTTPConflict, 26,
                 lambda: array.deleteVolume(VOLUME))
    return lun


def run_ssh(array, *words):
    array.ssh.open()
    return array.ssh.run(list(words)), array.ssh.run(list(words), multi_line_stripper=True)


def over_ssh(array, lun, check):
    fixed, searched = run_ssh(array, "showvlun", "-t", "-v", VOLUME)
    check("both ways of stripping the echo agree", fixed == searched, (fixed, searched))
    check("showvlun prints a CSV header", "Lun,VVName,HostName,-Host_WWN/iSCSI_Name-,Port,Type" in fixed, fixed)
    rows = [line.split(",") for line in fixed if "," + VOLUME + "," in line]
    check("showvlun prints the template", len(rows) == 1 and rows[0][0] == str(lun) and rows[0][2] == HOST, fixed)
    output = array.ssh.run(["removevlun", "-f", VOLUME, str(lun), HOST])
    check("removevlun says what it does", any("Issuing removevlun" in line for line in output), output)
    output = array.ssh.run(["showvlun", "-t", "-v", VOLUME])
    check("showvlun finds nothing any more", output == ["no vluns listed"], output)
    check.raises("WSAPI finds nothing either", exceptions.HTTPNotFound, "NON_EXISTENT_VLUN",
                 lambda: array.getVLUN(VOLUME))
    output = array.ssh.run(["removevlun", "-f", VOLUME, str(lun), HOST])
    check("removing it again is told", not any("Issuing removevlun" in line for line in output) and output, output)


def commands_over_ssh(array, check):
    check("a host is found by its path over SSH", array.findHost(iqn=IQN) == HOST, array.findHost(iqn=IQN))
    check("an unknown path finds no host", array.findHost(iqn=IQN + "x") is None)
    check("the probe leaves no host behind", [h["name"] for h in array.getHosts()["members"]] == [HOST])
    check("there are no patches", array.getPatches()["total"] == 0, array.getPatches())
    schedule = "hourly"
    array.createSchedule(schedule, "createsv -f pre.@y@@m@@d@@H@@M@@S@ " + VOLUME, "0 * * * *")
    check("the schedule is active", array.getScheduleStatus(schedule) == "active", array.getSchedule(schedule))
    array.suspendSchedule(schedule)
    check("the schedule is suspended", array.getScheduleStatus(schedule) == "suspended", array.getSchedule(schedule))
    array.modifySchedule(schedule, {"newName": "daily", "taskFrequency": "@daily"})
    array.resumeSchedule("daily")
    array.deleteSchedule("daily")
    for name, what, call in (
        (schedule, "a schedule that is gone is told", lambda: array.getSchedule("daily")),
        (schedule, "bad times are refused", lambda: array.createSchedule(schedule, "createsv a " + VOLUME, "0 * * *")),
    ):
        try:
            call()
        except exceptions.SSHException:
            check(what, True)
        else:
            check(what, False, name)


def delete(array, check):
    location = array.createVLUN(VOLUME, lun=7, hostname=HOST)
    check("an explicit LUN is used", location == "%s,7,%s" % (VOLUME, HOST), location)
    array.deleteVLUN(VOLUME, 7, HOST)
    array.deleteHostSet(HOST_SET)
    array.deleteHost(HOST)
    check.raises("the host is gone", exceptions.HTTPNotFound, 17, lambda: array.getHost(HOST))
    array.deleteVolume(VOLUME)
    check.raises("the volume is gone", exceptions.HTTPNotFound, 23, lambda: array.getVolume(VOLUME))
    array.deleteCPG(CPG)
    check.raises("the CPG is gone", exceptions.HTTPNotFound, 15, lambda: array.getCPG(CPG))


def main():
    options = arguments()
    password = os.environ["ARRAY_PASSWORD"]
    check = Checks()
    with tempfile.TemporaryDirectory() as folder:
        array = connect(options, password, os.path.join(folder, "known_hosts"))
        login(array, options, password, check)
        create(array, check)
        lun = export(array, check)
        over_ssh(array, lun, check)
        commands_over_ssh(array, check)
        delete(array, check)
        services.run(array, options.partner, check)
        array.logout()
    print("%d checks with python-3parclient %s passed" % (check.count, importlib.metadata.version("python-3parclient")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
