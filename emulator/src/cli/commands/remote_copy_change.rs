//! Remote copy groups: made, filled, started, stopped, synchronised, turned round.

use std::time::Duration;

use super::{Answer, Command, Invocation, Outcome, remote_copy_show::NOT_CONFIGURED};
use crate::array::{
    AdmitRcopyTarget, AdmitVolume, Array, ArrayError, CreateRcopyGroup, CreateRcopyTarget, ModifyRcopyGroup, Partners,
    RcopyPolicies, RecoverGroup, RecoveryAction, StartGroup, StopGroup,
};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("admitrcopylink", "add links to a target", "-f", "<target> <n:s:p>:<ip>...", link),
    Command::new(
        "admitrcopytarget",
        "add a target to a group",
        "",
        "<target> sync|periodic|async <group> [<vv>:<remote_vv>]...",
        fixed,
    ),
    Command::new(
        "admitrcopyvv",
        "add a volume to a group",
        "-pat -createvv -nowwn -nosync -f",
        "<VV_name>[:<snapshot>] <group> <target>:<remote_vv>...",
        admit,
    ),
    Command::new(
        "creatercopygroup",
        "make a group",
        "-domain=<domain> -usr_cpg=<CPG> -snp_cpg=<CPG> -f",
        "<group> <target>:sync|periodic|async...",
        create,
    ),
    Command::new("creatercopytarget", "make a target", "-disabled -f", "<target> IP|FC [<n:s:p>:<ip>]...", fixed),
    Command::new("dismissrcopylink", "remove links of a target", "-f", "<target> <n:s:p>:<ip>...", link),
    Command::new("dismissrcopytarget", "remove a target from a group", "-f", "<target> <group>", fixed),
    Command::new(
        "dismissrcopyvv",
        "remove a volume from a group",
        "-f -pat -keepsnap -removevv",
        "<VV_name> <group>",
        dismiss,
    ),
    Command::new("removercopygroup", "remove groups", "-f -pat -keepsnap -removevv", "<group>...", remove),
    Command::new("removercopytarget", "remove a target", "-f -cleargroups", "<target>", fixed),
    Command::new(
        "setrcopygroup",
        "change a group, or its direction",
        "-f -t=<target> -natural -current -nostart -nosync -discard -nopromote -nosnap -stopgroups -local -waittask -pat -usr_cpg=<CPG> \
         -snp_cpg=<CPG>",
        "failover|recover|restore|reverse|switchover|override <group>... | period <value>s|m|h|d <target> <group> | pol <policy> <group>",
        set,
    ),
    Command::new(
        "setrcopytarget",
        "change a target",
        "-f -d -no_fail_wwn_assignment",
        "disable|enable|name|pol|witness <arguments>",
        fixed,
    ),
    Command::new("startrcopy", "start remote copy", "", "", start_service),
    Command::new("startrcopygroup", "start groups", "-f -nosync -wait -pat -t=<target>", "<group>...", start),
    Command::new("stoprcopy", "stop remote copy", "-f -stopgroups -clear", "", fixed),
    Command::new("stoprcopygroup", "stop groups", "-f -nosnap -pat -t=<target>", "<group>...", stop),
    Command::new("syncrcopy", "synchronise groups", "-f -w -n -ovrd -pat -t=<target>", "<group>...", synchronise),
];

/// Runs a command of the array that needs its partners.
fn with_partners<T>(
    invocation: &Invocation<'_>,
    command: impl FnOnce(&mut Array, &mut Partners<'_>, Duration) -> Result<T, ArrayError>,
) -> Result<T, Outcome> {
    configured(invocation)?;
    invocation.emulator.with_partners(command).map_err(|error| refused(&error))
}

/// Says that there is no remote copy where the array has no target.
fn configured(invocation: &Invocation<'_>) -> Result<(), Outcome> {
    if invocation.read(|array| array.rcopy_targets().next().is_none()) {
        return Err(Outcome::refused(NOT_CONFIGURED));
    }
    Ok(())
}

/// A command that would change what the configuration of this array fixes: its targets, and that remote copy runs.
fn fixed(invocation: &Invocation<'_>) -> Answer {
    configured(invocation)?;
    Err(Outcome::refused("Error: the targets of this array are fixed by its configuration"))
}

fn refused(error: &ArrayError) -> Outcome {
    Outcome::refused(match &error.reference {
        Some(member) => format!("Error: {} ({member})", error.desc),
        None => format!("Error: {}", error.desc),
    })
}

const DONE: Result<Outcome, Outcome> = Ok(Outcome::Done(String::new()));

/// A target with what follows its colon.
fn pair<'a>(invocation: &Invocation<'_>, operand: &'a str) -> Result<(&'a str, &'a str), Outcome> {
    operand.split_once(':').ok_or_else(|| invocation.misused(&format!("{operand} has no colon")))
}

/// Links are there as long as their target is: admitting and dismissing them is silent.
fn link(invocation: &Invocation<'_>) -> Answer {
    let [target, links @ ..] = invocation.operands() else { return Err(invocation.misused("missing arguments")) };
    if links.is_empty() {
        return Err(invocation.misused("missing arguments"));
    }
    configured(invocation)?;
    let known = invocation.read(|array| array.rcopy_targets().any(|one| one.name == *target));
    if !known {
        return Err(Outcome::refused(format!("Error: target {target} does not exist")));
    }
    DONE
}

/// Runs `startrcopy`: silent, for it runs already.
fn start_service(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    DONE
}

/// Runs `creatercopygroup`.
fn create(invocation: &Invocation<'_>) -> Answer {
    let [group, targets @ ..] = invocation.operands() else { return Err(invocation.misused("missing arguments")) };
    let mut wishes = Vec::new();
    for target in targets {
        let (name, mode) = pair(invocation, target)?;
        let mode = match mode {
            "sync" => 1,
            "periodic" => 3,
            "async" => 4,
            _ => return Err(Outcome::refused(format!("Invalid mode: {mode}"))),
        };
        let wish = CreateRcopyTarget {
            target_name: Some(name.to_owned()),
            mode: Some(mode),
            user_cpg: invocation.options.owned("-usr_cpg"),
            snap_cpg: invocation.options.owned("-snp_cpg"),
            ..CreateRcopyTarget::default()
        };
        wishes.push(wish);
    }
    let body = CreateRcopyGroup {
        name: Some(group.clone()),
        domain: invocation.options.owned("-domain"),
        targets: Some(wishes),
        local_user_cpg: invocation.options.owned("-usr_cpg"),
        local_snap_cpg: invocation.options.owned("-snp_cpg"),
    };
    with_partners(invocation, |array, partners, now| array.create_rcopy_group(partners, now, &body))?;
    DONE
}

/// Runs `admitrcopyvv`.
fn admit(invocation: &Invocation<'_>) -> Answer {
    let [volume, group, targets @ ..] = invocation.operands() else {
        return Err(invocation.misused("missing arguments"));
    };
    let mut there = Vec::new();
    for target in targets {
        let (name, volume) = pair(invocation, target)?;
        there.push(AdmitRcopyTarget { target_name: Some(name.to_owned()), sec_volume_name: Some(volume.to_owned()) });
    }
    let (volume, snapshot) = match volume.split_once(':') {
        Some((volume, snapshot)) => (volume, Some(snapshot.to_owned())),
        None => (volume.as_str(), None),
    };
    let body = AdmitVolume {
        volume_name: Some(volume.to_owned()),
        targets: Some(there),
        snapshot_name: snapshot,
        volume_auto_creation: invocation.has("-createvv").then_some(true),
        skip_initial_sync: invocation.has("-nosync").then_some(true),
    };
    with_partners(invocation, |array, partners, now| array.admit_volume(partners, now, group, &body))?;
    DONE
}

/// Asks unless `-f` is given; `None` when it may go on.
fn asked(invocation: &Invocation<'_>) -> Option<Answer> {
    let what = invocation.operands().join(" ");
    let name = invocation.command.name;
    (!invocation.has("-f")).then(|| invocation.ask(format!("Are you sure you want to run {name} {what}?")))
}

/// Runs `dismissrcopyvv`.
fn dismiss(invocation: &Invocation<'_>) -> Answer {
    let [volume, group] = invocation.operands() else {
        return Err(invocation.misused("a volume and a group are required"));
    };
    if invocation.has("-keepsnap") && invocation.has("-removevv") {
        return Err(invocation.misused("-keepsnap and -removevv exclude each other"));
    }
    if let Some(answer) = asked(invocation) {
        return answer;
    }
    let remove_there = invocation.has("-removevv");
    with_partners(invocation, |array, partners, now| array.dismiss_volume(partners, now, group, volume, remove_there))?;
    DONE
}

/// The groups that operands name.
fn groups<'a>(invocation: &'a Invocation<'_>) -> Result<&'a [String], Outcome> {
    if invocation.operands().is_empty() {
        Err(invocation.misused("missing arguments"))
    } else {
        Ok(invocation.operands())
    }
}

/// Runs `removercopygroup`.
fn remove(invocation: &Invocation<'_>) -> Answer {
    let groups = groups(invocation)?;
    if let Some(answer) = asked(invocation) {
        return answer;
    }
    for group in groups {
        with_partners(invocation, |array, partners, now| array.remove_rcopy_group(partners, now, group))?;
    }
    DONE
}

/// Runs `startrcopygroup`.
fn start(invocation: &Invocation<'_>) -> Answer {
    let body = StartGroup {
        skip_initial_sync: invocation.has("-nosync").then_some(true),
        target_name: invocation.options.owned("-t"),
    };
    for group in groups(invocation)? {
        with_partners(invocation, |array, partners, now| array.start_rcopy_group(partners, now, group, &body))?;
    }
    DONE
}

/// Runs `stoprcopygroup`.
fn stop(invocation: &Invocation<'_>) -> Answer {
    let groups = groups(invocation)?;
    if let Some(answer) = asked(invocation) {
        return answer;
    }
    let body = StopGroup {
        target_name: invocation.options.owned("-t"),
        no_snapshot: invocation.has("-nosnap").then_some(true),
    };
    for group in groups {
        with_partners(invocation, |array, partners, now| array.stop_rcopy_group(partners, now, group, &body))?;
    }
    DONE
}

/// Runs `syncrcopy`.
fn synchronise(invocation: &Invocation<'_>) -> Answer {
    let target = invocation.value("-t");
    for group in groups(invocation)? {
        with_partners(invocation, |array, partners, now| array.sync_rcopy_group(partners, now, group, target))?;
    }
    DONE
}

/// Runs `setrcopygroup`: a change of direction, a period or a policy.
fn set(invocation: &Invocation<'_>) -> Answer {
    let [what, arguments @ ..] = invocation.operands() else { return Err(invocation.misused("missing arguments")) };
    let action = match what.as_str() {
        "reverse" if invocation.has("-natural") => RecoveryAction::ChangeToNaturalDirection,
        "reverse" => RecoveryAction::ChangeDirection,
        "failover" => RecoveryAction::ChangeToPrimary,
        "switchover" => RecoveryAction::Migrate,
        "recover" => RecoveryAction::ChangeToSecondary,
        "restore" => RecoveryAction::ChangeToNaturalDirection,
        "override" => RecoveryAction::OverrideFailsafe,
        "period" => return set_period(invocation, arguments),
        "pol" => return set_policy(invocation, arguments),
        _ => return Err(Outcome::refused(format!("Invalid subcommand: {what}"))),
    };
    if arguments.is_empty() {
        return Err(invocation.misused("missing arguments"));
    }
    if let Some(answer) = asked(invocation) {
        return answer;
    }
    let flag = |option: &str| invocation.has(option).then_some(true);
    let body = RecoverGroup {
        target_name: invocation.options.owned("-t"),
        skip_start: flag("-nostart"),
        skip_sync: flag("-nosync"),
        discard_new_data: flag("-discard"),
        skip_promote: flag("-nopromote"),
        no_snapshot: flag("-nosnap"),
        stop_groups: flag("-stopgroups"),
        local_groups_direction: flag("-local"),
    };
    for group in arguments {
        with_partners(invocation, |array, partners, now| {
            array.recover_rcopy_group(partners, now, group, action, &body)
        })?;
    }
    DONE
}

fn change_target(invocation: &Invocation<'_>, group: &str, wish: CreateRcopyTarget) -> Answer {
    let body = ModifyRcopyGroup { targets: Some(vec![wish]), ..ModifyRcopyGroup::default() };
    with_partners(invocation, |array, partners, now| array.modify_rcopy_group(partners, now, group, &body))?;
    DONE
}

/// `period <value>s|m|h|d <target> <group>`; 0 takes the period away.
fn set_period(invocation: &Invocation<'_>, arguments: &[String]) -> Answer {
    let [value, target, group] = arguments else {
        return Err(invocation.misused("a period, a target and a group are required"));
    };
    let factor = match value.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => return Err(Outcome::refused(format!("Invalid period: {value}"))),
    };
    let number = value[..value.len() - 1].parse::<i64>().ok().and_then(|number| number.checked_mul(factor));
    let seconds = number.ok_or_else(|| Outcome::refused(format!("Invalid period: {value}")))?;
    let wish = CreateRcopyTarget {
        target_name: Some(target.clone()),
        sync_period: (seconds > 0).then_some(seconds),
        rm_sync_period: (seconds == 0).then_some(true),
        ..CreateRcopyTarget::default()
    };
    change_target(invocation, group, wish)
}

/// `pol <policy>[,<policy>...] <group>`: for every target of the group.
fn set_policy(invocation: &Invocation<'_>, arguments: &[String]) -> Answer {
    let [words, group] = arguments else { return Err(invocation.misused("policies and a group are required")) };
    let found = invocation.read(|array| array.rcopy_group(group).cloned());
    let found = found.map_err(|error| refused(&error))?;
    for part in &found.targets {
        let mut policies: RcopyPolicies = part.policies;
        for word in words.split(',') {
            let (is_set, name) = match word.strip_prefix("no_") {
                Some(name) => (false, name),
                None => (true, word),
            };
            match name {
                "auto_recover" => policies.auto_recover = is_set,
                "over_per_alert" => policies.over_period_alert = is_set,
                "auto_failover" => policies.auto_failover = is_set,
                "path_management" => policies.path_management = is_set,
                "mt_pp" => policies.multi_target_peer_persistence = is_set,
                "auto_synchronize" | "active_active" | "pp_params" => {}
                _ => return Err(Outcome::refused(format!("Invalid policy: {word}"))),
            }
        }
        let wish = CreateRcopyTarget {
            target_name: Some(part.target.clone()),
            policies: Some(policies),
            ..CreateRcopyTarget::default()
        };
        change_target(invocation, group, wish)?;
    }
    DONE
}
