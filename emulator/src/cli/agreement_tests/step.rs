//! What is asked of both front ends, in the words of each.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

/// A request, in terms of both front ends.
#[derive(Debug, Clone)]
pub(super) enum Step {
    CreateVolume(u8, u32),
    RemoveVolume(u8),
    GrowVolume(u8, u32),
    RenameVolume(u8, u8),
    Comment(u8, u8),
    Snapshot(u8, u8, bool),
    CreateHost(u8, BTreeSet<u8>),
    RemoveHost(u8),
    RenameHost(u8, u8),
    Persona(u8, bool),
    AddPath(u8, u8),
    RemovePath(u8, u8),
    CreateSet(Kind, u8, BTreeSet<u8>),
    AddMember(Kind, u8, u8),
    RemoveMember(Kind, u8, u8),
    RemoveSet(Kind, u8),
    Export(u8, u16, Target),
    Unexport(u8, u16, Target),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Hosts,
    Volumes,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Hosts => "hostset",
            Self::Volumes => "vvset",
        }
    }

    fn resource(self) -> &'static str {
        match self {
            Self::Hosts => "hostsets",
            Self::Volumes => "volumesets",
        }
    }

    fn member(self, number: u8) -> String {
        match self {
            Self::Hosts => host(number),
            Self::Volumes => volume(number),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    Host(u8),
    Matched(u8, u8),
    Port(u8),
    Set(u8),
}

fn volume(number: u8) -> String {
    format!("v{number}")
}

fn host(number: u8) -> String {
    format!("h{number}")
}

fn set(number: u8) -> String {
    format!("s{number}")
}

fn path(number: u8) -> String {
    format!("iqn.1994-05.com.example:p{number}")
}

const PORTS: [&str; 2] = ["0:2:1", "1:2:2"];

impl Target {
    /// Operands of the command line.
    fn words(self) -> String {
        match self {
            Self::Host(number) => host(number),
            Self::Matched(number, port) => format!("{} {}", PORTS[usize::from(port)], host(number)),
            Self::Port(port) => PORTS[usize::from(port)].to_owned(),
            Self::Set(number) => format!("set:{}", set(number)),
        }
    }

    /// Members of a request, and the tail of the resource.
    fn members(self) -> (Value, String) {
        let position = |port: u8| {
            let parts: Vec<u8> = PORTS[usize::from(port)].split(':').map(|part| part.parse().unwrap()).collect();
            json!({"node": parts[0], "slot": parts[1], "cardPort": parts[2]})
        };
        match self {
            Self::Host(number) => (json!({"hostname": host(number)}), host(number)),
            Self::Matched(number, port) => (
                json!({"hostname": host(number), "portPos": position(port)}),
                format!("{},{}", host(number), PORTS[usize::from(port)]),
            ),
            Self::Port(port) => (json!({"portPos": position(port)}), format!(",{}", PORTS[usize::from(port)])),
            Self::Set(number) => (json!({"hostname": format!("set:{}", set(number))}), format!("set:{}", set(number))),
        }
    }
}

impl Step {
    /// As a line of the command line.
    pub(super) fn command(&self) -> String {
        match self {
            Self::CreateVolume(name, size) => format!("createvv -tpvv -snp_cpg FC_r6 FC_r6 {} {size}", volume(*name)),
            Self::RemoveVolume(name) => format!("removevv -f {}", volume(*name)),
            Self::GrowVolume(name, more) => format!("growvv -f {} {more}", volume(*name)),
            Self::RenameVolume(name, to) => format!("setvv -name {} {}", volume(*to), volume(*name)),
            Self::Comment(name, text) => format!("setvv -comment c{text} {}", volume(*name)),
            Self::Snapshot(of, name, read_only) => {
                format!("createsv {} {} {}", if *read_only { "-ro" } else { "" }, volume(*name), volume(*of))
            }
            Self::CreateHost(name, paths) => {
                let paths: Vec<_> = paths.iter().map(|number| path(*number)).collect();
                format!("createhost -iscsi {} {}", host(*name), paths.join(" "))
            }
            Self::RemoveHost(name) => format!("removehost -f {}", host(*name)),
            Self::RenameHost(name, to) => format!("sethost -name {} {}", host(*to), host(*name)),
            Self::Persona(name, vmware) => {
                format!("sethost -persona {} {}", if *vmware { 11 } else { 2 }, host(*name))
            }
            Self::AddPath(name, number) => format!("createhost -iscsi -add {} {}", host(*name), path(*number)),
            Self::RemovePath(name, number) => format!("removehost -f -iscsi {} {}", host(*name), path(*number)),
            Self::CreateSet(kind, name, members) => {
                let members: Vec<_> = members.iter().map(|number| kind.member(*number)).collect();
                format!("create{} {} {}", kind.word(), set(*name), members.join(" "))
            }
            Self::AddMember(kind, name, member) => {
                format!("create{} -add {} {}", kind.word(), set(*name), kind.member(*member))
            }
            Self::RemoveMember(kind, name, member) => {
                format!("remove{} -f {} {}", kind.word(), set(*name), kind.member(*member))
            }
            Self::RemoveSet(kind, name) => format!("remove{} -f {}", kind.word(), set(*name)),
            Self::Export(name, lun, target) => format!("createvlun -f {} {lun} {}", volume(*name), target.words()),
            Self::Unexport(name, lun, target) => format!("removevlun -f {} {lun} {}", volume(*name), target.words()),
        }
    }

    /// As method, path and body of REST.
    pub(super) fn request(&self) -> (&'static str, String, Value) {
        let volumes = |name: &u8| format!("/volumes/{}", volume(*name));
        let hosts = |name: &u8| format!("/hosts/{}", host(*name));
        let sets = |kind: &Kind, name: &u8| format!("/{}/{}", kind.resource(), set(*name));
        match self {
            Self::CreateVolume(name, size) => {
                let body =
                    json!({"name": volume(*name), "cpg": "FC_r6", "sizeMiB": size, "tpvv": true, "snapCPG": "FC_r6"});
                ("POST", "/volumes".to_owned(), body)
            }
            Self::RemoveVolume(name) => ("DELETE", volumes(name), Value::Null),
            Self::GrowVolume(name, more) => ("PUT", volumes(name), json!({"action": 3, "sizeMiB": more})),
            Self::RenameVolume(name, to) => ("PUT", volumes(name), json!({"newName": volume(*to)})),
            Self::Comment(name, text) => ("PUT", volumes(name), json!({"comment": format!("c{text}")})),
            Self::Snapshot(of, name, read_only) => {
                let parameters = json!({"name": volume(*name), "readOnly": read_only});
                ("POST", volumes(of), json!({"action": "createSnapshot", "parameters": parameters}))
            }
            Self::CreateHost(name, paths) => {
                let mut body = json!({"name": host(*name)});
                if !paths.is_empty() {
                    body["iSCSINames"] = paths.iter().map(|number| path(*number)).collect();
                }
                ("POST", "/hosts".to_owned(), body)
            }
            Self::RemoveHost(name) => ("DELETE", hosts(name), Value::Null),
            Self::RenameHost(name, to) => ("PUT", hosts(name), json!({"newName": host(*to)})),
            Self::Persona(name, vmware) => ("PUT", hosts(name), json!({"persona": if *vmware { 8 } else { 2 }})),
            Self::AddPath(name, number) => {
                ("PUT", hosts(name), json!({"pathOperation": 1, "iSCSINames": [path(*number)]}))
            }
            Self::RemovePath(name, number) => {
                let body = json!({"pathOperation": 2, "iSCSINames": [path(*number)], "forcePathRemoval": true});
                ("PUT", hosts(name), body)
            }
            Self::CreateSet(kind, name, members) => {
                let members: Vec<_> = members.iter().map(|number| kind.member(*number)).collect();
                ("POST", format!("/{}", kind.resource()), json!({"name": set(*name), "setmembers": members}))
            }
            Self::AddMember(kind, name, member) => {
                ("PUT", sets(kind, name), json!({"action": 1, "setmembers": [kind.member(*member)]}))
            }
            Self::RemoveMember(kind, name, member) => {
                ("PUT", sets(kind, name), json!({"action": 2, "setmembers": [kind.member(*member)]}))
            }
            Self::RemoveSet(kind, name) => ("DELETE", sets(kind, name), Value::Null),
            Self::Export(name, lun, target) => {
                let mut body = target.members().0;
                (body["volumeName"], body["lun"]) = (json!(volume(*name)), json!(lun));
                ("POST", "/vluns".to_owned(), body)
            }
            Self::Unexport(name, lun, target) => {
                ("DELETE", format!("/vluns/{},{lun},{}", volume(*name), target.members().1), Value::Null)
            }
        }
    }
}

/// Any request; names are few, so that requests meet.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let name = || 0_u8..4;
    let few = || prop::collection::btree_set(0_u8..4, 0..3);
    let kind = || prop_oneof![Just(Kind::Hosts), Just(Kind::Volumes)];
    let target = || {
        prop_oneof![
            3 => name().prop_map(Target::Host),
            2 => (name(), 0_u8..2).prop_map(|(host, port)| Target::Matched(host, port)),
            1 => (0_u8..2).prop_map(Target::Port),
            2 => name().prop_map(Target::Set),
        ]
    };
    prop_oneof![
        4 => (name(), prop::sample::select(vec![100_u32, 256, 1024])).prop_map(|(v, size)| Step::CreateVolume(v, size)),
        2 => name().prop_map(Step::RemoveVolume),
        1 => (name(), 1_u32..600).prop_map(|(v, more)| Step::GrowVolume(v, more)),
        1 => (name(), name()).prop_map(|(v, to)| Step::RenameVolume(v, to)),
        1 => (name(), 0_u8..9).prop_map(|(v, text)| Step::Comment(v, text)),
        2 => (name(), name(), any::<bool>()).prop_map(|(of, v, ro)| Step::Snapshot(of, v, ro)),
        4 => (name(), few()).prop_map(|(h, paths)| Step::CreateHost(h, paths)),
        1 => name().prop_map(Step::RemoveHost),
        1 => (name(), name()).prop_map(|(h, to)| Step::RenameHost(h, to)),
        1 => (name(), any::<bool>()).prop_map(|(h, vmware)| Step::Persona(h, vmware)),
        1 => (name(), name()).prop_map(|(h, number)| Step::AddPath(h, number)),
        1 => (name(), name()).prop_map(|(h, number)| Step::RemovePath(h, number)),
        3 => (kind(), name(), few()).prop_map(|(kind, s, members)| Step::CreateSet(kind, s, members)),
        2 => (kind(), name(), name()).prop_map(|(kind, s, member)| Step::AddMember(kind, s, member)),
        1 => (kind(), name(), name()).prop_map(|(kind, s, member)| Step::RemoveMember(kind, s, member)),
        1 => (kind(), name()).prop_map(|(kind, s)| Step::RemoveSet(kind, s)),
        6 => (name(), 0_u16..4, target()).prop_map(|(v, lun, target)| Step::Export(v, lun, target)),
        3 => (name(), 0_u16..4, target()).prop_map(|(v, lun, target)| Step::Unexport(v, lun, target)),
    ]
}
