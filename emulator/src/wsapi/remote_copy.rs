//! Remote copy: `/remotecopygroups` with their volumes and targets, `/remotecopytargets`, `/remotecopylinks`.

use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::{
    Api,
    answer::{Answer, collection, created, empty, located, object},
    body::Members,
    extract::Segments,
    query::{Filter, parameter},
    resources::Resources,
};
use crate::array::{AdmitVolume, ArrayError, ModifyRcopyGroup, RecoveryAction, TaskNumber};

const GROUP: [&str; 5] = ["name", "domain", "targets", "localUserCPG", "localSnapCPG"];
const MODIFY: [&str; 5] = ["localUserCPG", "localSnapCPG", "unsetUserCPG", "unsetSnapCPG", "targets"];
const ADMIT: [&str; 6] = ["action", "volumeName", "targets", "snapshotName", "volumeAutoCreation", "skipInitialSync"];
const RECOVER: [&str; 9] = [
    "action",
    "targetName",
    "skipStart",
    "skipSync",
    "discardNewData",
    "skipPromote",
    "noSnapshot",
    "stopGroups",
    "localGroupsDirection",
];

/// Actions of `PUT /remotecopygroups/<name>`.
mod action {
    pub(super) const ADMIT_VOLUME: i64 = 1;
    pub(super) const DISMISS_VOLUME: i64 = 2;
    pub(super) const START_GROUP: i64 = 3;
    pub(super) const STOP_GROUP: i64 = 4;
    pub(super) const SYNC_GROUP: i64 = 5;
}

pub(super) fn resources() -> Resources {
    Resources::new()
        .get("/remotecopy", show)
        .get("/remotecopygroups", groups)
        .post("/remotecopygroups", create)
        .get("/remotecopygroups/{name}", group)
        .put("/remotecopygroups/{name}", modify)
        .post("/remotecopygroups/{name}", recover)
        .delete("/remotecopygroups/{name}", remove)
        .get("/remotecopygroups/{name}/volumes", volumes)
        .post("/remotecopygroups/{name}/volumes", admit)
        .get("/remotecopygroups/{name}/volumes/{volume}", volume)
        .delete("/remotecopygroups/{name}/volumes/{volume}", dismiss)
        .get("/remotecopygroups/{name}/targets", group_targets)
        .get("/remotecopygroups/{name}/targets/{target}", group_target)
        .put("/remotecopygroups/{name}/targets/{target}", modify_group_target)
        .get("/remotecopytargets", targets)
        .get("/remotecopytargets/{name}", target)
        .put("/remotecopytargets/{name}", modify_target)
        .get("/remotecopylinks", links)
        .get("/remotecopylinks/{name}", link)
}

async fn show(State(api): State<Api>) -> Answer {
    Ok(object(&api.read(|array| array.remote_copy_row())))
}

async fn groups(State(api): State<Api>, RawQuery(query): RawQuery) -> Answer {
    let filter = Filter::from_uri(query.as_deref(), &["name", "id", "role", "domain"])?;
    let mut rows = api.read(|array| array.rcopy_group_rows());
    rows.retain(|row| filter.as_ref().is_none_or(|filter| filter.fits(row)));
    Ok(collection(&rows))
}

async fn group(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    Ok(object(&api.read(|array| array.rcopy_group_row(&name))?))
}

async fn create(State(api): State<Api>, body: Members) -> Answer {
    let body = body.only(&GROUP)?.decode()?;
    let name = api.emulator.with_partners(|array, partners, now| array.create_rcopy_group(partners, now, &body))?;
    Ok(created("remotecopygroups", &name))
}

/// 200 with the URI of a group, and the tasks that work on it where there are any.
fn with_tasks(name: &str, tasks: &[TaskNumber]) -> Answer {
    if tasks.is_empty() {
        return Ok(located("remotecopygroups", name));
    }
    let tasks: Vec<Value> = tasks.iter().map(|task| json!({"taskId": task})).collect();
    let mut answer = object(&json!({"tasks": tasks}));
    answer.headers_mut().extend(located("remotecopygroups", name).headers().clone());
    Ok(answer)
}

async fn modify(State(api): State<Api>, Segments(name): Segments<String>, body: Members) -> Answer {
    let emulator = &api.emulator;
    let Some(action) = body.integer("action")? else {
        let body = body.only(&MODIFY)?.decode()?;
        emulator.with_partners(|array, partners, now| array.modify_rcopy_group(partners, now, &name, &body))?;
        return Ok(located("remotecopygroups", &name));
    };
    match action {
        action::ADMIT_VOLUME => {
            let body = body.only(&ADMIT)?.without("action").decode()?;
            admit_to(&api, &name, &body)
        }
        action::DISMISS_VOLUME => {
            let body = body.only(&["action", "volumeName", "keepSnap"])?;
            let volume = body.required_text("volumeName")?;
            emulator.with_partners(|array, partners, now| array.dismiss_volume(partners, now, &name, volume, false))?;
            Ok(located("remotecopygroups", &name))
        }
        action::START_GROUP => {
            let body = body.only(&["action", "skipInitialSync", "targetName", "startingSnapshots"])?;
            let body = body.without("action").without("startingSnapshots").decode()?;
            let started = |array: &mut crate::array::Array, partners: &mut crate::array::Partners<'_>, now| {
                array.start_rcopy_group(partners, now, &name, &body)
            };
            with_tasks(&name, &emulator.with_partners(started)?)
        }
        action::STOP_GROUP => {
            let body = body.only(&["action", "noSnapshot", "targetName"])?.without("action").decode()?;
            emulator.with_partners(|array, partners, now| array.stop_rcopy_group(partners, now, &name, &body))?;
            Ok(located("remotecopygroups", &name))
        }
        action::SYNC_GROUP => {
            let body = body.only(&["action", "noResyncSnapshot", "targetName", "fullSync"])?;
            let target = body.text("targetName")?;
            let tasks =
                emulator.with_partners(|array, partners, now| array.sync_rcopy_group(partners, now, &name, target))?;
            with_tasks(&name, &tasks)
        }
        _ => Err(ArrayError::bad_enum_value().with_ref("action").into()),
    }
}

fn admit_to(api: &Api, group: &str, body: &AdmitVolume) -> Answer {
    api.emulator.with_partners(|array, partners, now| array.admit_volume(partners, now, group, body))?;
    Ok(located("remotecopygroups", group))
}

async fn recover(State(api): State<Api>, Segments(name): Segments<String>, body: Members) -> Answer {
    let body = body.only(&RECOVER)?;
    let action = RecoveryAction::from_wsapi(body.required_integer("action")?)?;
    let body = body.without("action").decode()?;
    api.emulator
        .with_partners(|array, partners, now| array.recover_rcopy_group(partners, now, &name, action, &body))?;
    Ok(located("remotecopygroups", &name))
}

/// A truth value in the query of a URI.
fn flag(query: Option<&str>, name: &str) -> Result<bool, ArrayError> {
    match query.and_then(|query| parameter(query, name)) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(ArrayError::wrong_type().with_ref(name)),
    }
}

async fn remove(State(api): State<Api>, Segments(name): Segments<String>, RawQuery(query): RawQuery) -> Answer {
    // There are no snapshots to keep.
    flag(query.as_deref(), "keepSnap")?;
    api.emulator.with_partners(|array, partners, now| array.remove_rcopy_group(partners, now, &name))?;
    Ok(empty())
}

async fn volumes(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    Ok(collection(&api.read(|array| array.rcopy_volume_rows(&name))?))
}

async fn volume(State(api): State<Api>, Segments((name, volume)): Segments<(String, String)>) -> Answer {
    Ok(object(&api.read(|array| array.rcopy_volume_row(&name, &volume))?))
}

async fn admit(State(api): State<Api>, Segments(name): Segments<String>, body: Members) -> Answer {
    let body: AdmitVolume = body.only(&ADMIT)?.without("action").decode()?;
    let volume = body.volume_name.clone().unwrap_or_default();
    admit_to(&api, &name, &body)?;
    Ok(created(&format!("remotecopygroups/{name}/volumes"), &volume))
}

async fn dismiss(
    State(api): State<Api>,
    Segments((name, volume)): Segments<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer {
    let (keep, there) = (flag(query.as_deref(), "keepSnap")?, flag(query.as_deref(), "removeSecondaryVolume")?);
    if keep && there {
        return Err(ArrayError::parameter_conflict().with_ref("keepSnap,removeSecondaryVolume").into());
    }
    api.emulator.with_partners(|array, partners, now| array.dismiss_volume(partners, now, &name, &volume, there))?;
    Ok(empty())
}

async fn group_targets(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    Ok(collection(&api.read(|array| array.rcopy_group_target_rows(&name))?))
}

async fn group_target(State(api): State<Api>, Segments((name, target)): Segments<(String, String)>) -> Answer {
    let rows = api.read(|array| array.rcopy_group_target_rows(&name))?;
    let found = rows.into_iter().find(|row| row["targetName"] == target.as_str());
    Ok(object(&found.ok_or_else(ArrayError::non_existent_rcopy_target)?))
}

/// Changes one target of a group; the members are those of a target in a change of the group.
async fn modify_group_target(
    State(api): State<Api>,
    Segments((name, target)): Segments<(String, String)>,
    body: Members,
) -> Answer {
    let mut wish: crate::array::CreateRcopyTarget = body.decode()?;
    wish.target_name = Some(target);
    let body = ModifyRcopyGroup { targets: Some(vec![wish]), ..ModifyRcopyGroup::default() };
    api.emulator.with_partners(|array, partners, now| array.modify_rcopy_group(partners, now, &name, &body))?;
    Ok(located("remotecopygroups", &name))
}

async fn targets(State(api): State<Api>) -> Answer {
    Ok(collection(&api.read(|array| array.rcopy_target_rows())))
}

async fn target(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    Ok(object(&api.read(|array| array.rcopy_target_row(&name))?))
}

async fn modify_target(State(api): State<Api>, Segments(name): Segments<String>, body: Members) -> Answer {
    let policies = body.only(&["policies"])?.object("policies")?;
    let policies = policies.ok_or_else(|| ArrayError::missing_required().with_ref("policies"))?;
    let policies = policies.only(&["mirrorConfig"])?.decode()?;
    api.change(|array, now| array.modify_rcopy_target(now, &name, policies))?;
    Ok(located("remotecopytargets", &name))
}

async fn links(State(api): State<Api>) -> Answer {
    Ok(collection(&api.read(|array| array.rcopy_link_rows())))
}

async fn link(State(api): State<Api>, Segments(name): Segments<String>) -> Answer {
    let found = api.read(|array| array.rcopy_link_rows()).into_iter().find(|row| row["name"] == name.as_str());
    Ok(object(&found.ok_or_else(ArrayError::non_existent_rcopy_link)?))
}
