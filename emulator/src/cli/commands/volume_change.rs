//! `createvv`, `setvv`, `growvv` and the checks of volumes.

use super::{
    Answer, Command, Invocation, Outcome,
    quantities::{hours, size_mib},
    refusal::About,
    volume_show::volumes_wanted,
};
use crate::array::{CreateVolume, ModifyVolume, PolicyChange};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "checkvv",
        "check the admin information of volumes",
        "-f -y -n -offline -dedup_dryrun -compr_dryrun -fixsd -tpvv",
        "<VV_name>|<pattern>|set:<vvset>...",
        check,
    ),
    Command::new("compactvv", "give unused space of volumes back", "-f -pat", "<VV_name>|<pattern>...", check),
    Command::new(
        "createvv",
        "make volumes",
        "-f -tpvv -tdvv -reduce -dedup -compr -snp_cpg=<CPG> -usr_aw=<percent> -usr_al=<percent> -snp_aw=<percent> \
         -snp_al=<percent> -pol=<policy>[,...] -i=<id> -cnt=<count> -comment=<comment> -exp=<time>d|D|h|H \
         -retain=<time>d|D|h|H -wait=<secs> -minalloc=<MB> -spt=<sectors> -hpc=<heads> -sectsz=<bytes> -templ=<template>",
        "<usr_CPG> <VV_name>[.<index>] <size>[g|G|t|T]",
        create,
    ),
    Command::new("growvv", "grow a volume", "-f", "<VV_name> <size>[g|G|t|T]", grow),
    Command::new(
        "setvv",
        "change volumes",
        "-f -name=<new_name> -wwn=<WWN> -comment=<comment> -snp_cpg=<CPG> -usr_cpg=<CPG> -usr_aw=<percent> \
         -usr_al=<percent> -snp_aw=<percent> -snp_al=<percent> -pol=<policy>[,...] -exp=<time>d|D|h|H \
         -retain=<time>d|D|h|H -clrrsv -clralua -rmexp",
        "<VV_name>|<pattern>|set:<vvset>...",
        set,
    ),
];

/// Most volumes of one `createvv -cnt` (command line reference).
const MOST_AT_ONCE: i64 = 999;

/// Runs `createvv`: silent when it worked. With `-cnt` the volumes are called `<name>.<number>`, counting from 0 or from the
/// number that the name ends in; those made before a refusal stay.
fn create(invocation: &Invocation<'_>) -> Answer {
    let [cpg, name, size] = invocation.operands() else {
        return Err(invocation.misused("a CPG, a name and a size are required"));
    };
    let count = invocation.number("-cnt")?;
    if count.is_some_and(|count| !(1..=MOST_AT_ONCE).contains(&count)) {
        return Err(Outcome::refused(format!("Invalid value for -cnt: must be between 1 and {MOST_AT_ONCE}")));
    }
    let flag = |option: &str| invocation.has(option).then_some(true);
    let template = CreateVolume {
        name: None,
        cpg: Some(cpg.clone()),
        size_mib: Some(size_mib(size).map_err(Outcome::refused)?),
        id: invocation.number("-i")?,
        comment: invocation.options.owned("-comment"),
        policies: policies(invocation)?,
        snap_cpg: invocation.options.owned("-snp_cpg"),
        ss_spc_alloc_warning_pct: invocation.number("-snp_aw")?,
        ss_spc_alloc_limit_pct: invocation.number("-snp_al")?,
        usr_spc_alloc_warning_pct: invocation.number("-usr_aw")?,
        usr_spc_alloc_limit_pct: invocation.number("-usr_al")?,
        tpvv: flag("-tpvv"),
        tdvv: flag("-tdvv").or(flag("-dedup")),
        compression: flag("-compr"),
        reduce: flag("-reduce"),
        expiration_hours: time(invocation, "-exp")?,
        retention_hours: time(invocation, "-retain")?,
    };
    if template.retention_hours.is_some() && !invocation.has("-f") {
        return invocation.ask(format!("Volume {name} cannot be removed during its retention time. Create it?"));
    }
    for (index, name) in (0_i64..).zip(names(name, count)) {
        let id = template.id.map(|id| id.saturating_add(index));
        let request = CreateVolume { name: Some(name.clone()), id, ..template.clone() };
        let made = invocation.change(|array, now| array.create_volume(now, &request));
        made.map_err(|error| about(invocation, &name, cpg).refused(&error))?;
    }
    Ok(Outcome::Done(String::new()))
}

/// The names of the volumes that `-cnt` makes.
fn names(name: &str, count: Option<i64>) -> Vec<String> {
    let Some(count) = count else { return vec![name.to_owned()] };
    let numbered = name.rsplit_once('.').and_then(|(stem, number)| Some((stem, number.parse::<u32>().ok()?)));
    let (stem, first) = numbered.unwrap_or((name, 0));
    (0..count).map(|index| format!("{stem}.{}", i64::from(first) + index)).collect()
}

/// What a refusal speaks of: the snapshot CPG when the user CPG is known.
fn about<'a>(invocation: &'a Invocation<'_>, volume: &'a str, cpg: &'a str) -> About<'a> {
    let user_is_known = invocation.read(|array| array.cpg(cpg).is_ok());
    let cpg = invocation.value("-snp_cpg").filter(|_| user_is_known).unwrap_or(cpg);
    About { volume, cpg, ..About::default() }
}

fn time(invocation: &Invocation<'_>, option: &str) -> Result<Option<i64>, Outcome> {
    invocation.value(option).map(hours).transpose().map_err(Outcome::refused)
}

/// The policies of `-pol`.
fn policies(invocation: &Invocation<'_>) -> Result<Option<PolicyChange>, Outcome> {
    let Some(words) = invocation.value("-pol") else { return Ok(None) };
    let mut change = PolicyChange::default();
    for word in words.split(',') {
        match word {
            "stale_ss" => change.stale_ss = Some(true),
            "no_stale_ss" => change.stale_ss = Some(false),
            "one_host" => change.one_host = Some(true),
            "no_one_host" => change.one_host = Some(false),
            "zero_detect" => change.zero_detect = Some(true),
            "no_zero_detect" => change.zero_detect = Some(false),
            "system" => change.system = Some(true),
            "no_system" => change.system = Some(false),
            "3par_host_dif" => change.host_dif = Some(1),
            "std_host_dif" => change.host_dif = Some(2),
            "no_host_dif" => change.host_dif = Some(3),
            // Zero filling of new pages is not told apart here; both ways read zeros.
            "tp_bzero" | "no_tp_bzero" | "cache" => {}
            _ => return Err(Outcome::refused(format!("Invalid policy: {word}"))),
        }
    }
    Ok(Some(change))
}

/// Runs `setvv`.
fn set(invocation: &Invocation<'_>) -> Answer {
    if invocation.operands().is_empty() {
        return Err(invocation.misused("missing arguments"));
    }
    let volumes = volumes_wanted(invocation, invocation.operands())?;
    let new_name = invocation.options.owned("-name");
    if volumes.len() > 1 && new_name.is_some() {
        return Err(Outcome::refused("Error: -name is for one volume"));
    }
    let change = ModifyVolume {
        new_name,
        comment: invocation.options.owned("-comment"),
        wwn: invocation.options.owned("-wwn"),
        snap_cpg: invocation.options.owned("-snp_cpg"),
        user_cpg: invocation.options.owned("-usr_cpg"),
        policies: policies(invocation)?,
        ss_spc_alloc_warning_pct: invocation.number("-snp_aw")?,
        ss_spc_alloc_limit_pct: invocation.number("-snp_al")?,
        usr_spc_alloc_warning_pct: invocation.number("-usr_aw")?,
        usr_spc_alloc_limit_pct: invocation.number("-usr_al")?,
        // `-exp 0` takes the expiration away.
        expiration_hours: time(invocation, "-exp")?.filter(|hours| *hours > 0),
        rm_exp_time: (invocation.has("-rmexp") || time(invocation, "-exp")? == Some(0)).then_some(true),
        retention_hours: time(invocation, "-retain")?,
        ..ModifyVolume::default()
    };
    let clears = invocation.has("-clrrsv") || invocation.has("-clralua");
    if change == ModifyVolume::default() && !clears {
        return Err(invocation.misused("nothing to change"));
    }
    if change.retention_hours.is_some() && !invocation.has("-f") {
        return invocation.ask("The volumes cannot be removed during their retention time. Set it?");
    }
    for row in &volumes {
        if change == ModifyVolume::default() {
            continue;
        }
        let cpg = change.user_cpg.as_deref().or(change.snap_cpg.as_deref()).unwrap_or_default();
        let named = change.new_name.as_deref().unwrap_or(row.name.as_str());
        let done = invocation.change(|array, now| array.modify_volume(now, row.name.as_str(), &change));
        done.map_err(|error| About { volume: named, cpg, ..About::default() }.refused(&error))?;
    }
    Ok(Outcome::Done(String::new()))
}

/// Runs `growvv`.
fn grow(invocation: &Invocation<'_>) -> Answer {
    let [name, size] = invocation.operands() else {
        return Err(invocation.misused("a volume and a size are required"));
    };
    let more = size_mib(size).map_err(Outcome::refused)?;
    invocation.read(|array| array.volume(name).map(drop)).map_err(|error| About::volume(name).refused(&error))?;
    if !invocation.has("-f") {
        return invocation.ask(format!("Are you sure you want to grow VV {name} by {more}MB?"));
    }
    let grown = invocation.change(|array, now| array.grow_volume(now, name, more));
    grown.map_err(|error| About::volume(name).refused(&error))?;
    Ok(Outcome::Done(String::new()))
}

/// Runs `checkvv` and `compactvv`, which find nothing to do on this array.
fn check(invocation: &Invocation<'_>) -> Answer {
    if invocation.operands().is_empty() {
        return Err(invocation.misused("missing arguments"));
    }
    let volumes = volumes_wanted(invocation, invocation.operands())?;
    if !invocation.has("-f") {
        let names: Vec<_> = volumes.iter().map(|row| row.name.as_str()).collect();
        return invocation.ask(format!(
            "Are you sure you want to run {} on vv {}?",
            invocation.command.name,
            names.join(" ")
        ));
    }
    Ok(Outcome::Done(String::new()))
}
