//! `createhost`, `sethost` and `removehost`.

use super::{Answer, Command, Invocation, Outcome, host_show::hosts_wanted, refusal::About};
use crate::array::{ArrayError, CreateHost, FcWwn, HostDescriptors, Initiator, Iqn, ModifyHost, Persona, VlunFilter};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "createhost",
        "make a host, or add paths to one",
        "-iscsi -add -f -persona=<id> -domain=<domain> -loc=<location> -ip=<IP> -os=<OS> -model=<model> -contact=<contact> \
         -comment=<comment> -port=<n:s:p>[,...]",
        "<host> [<WWN>|<iscsi_name>]...",
        create,
    ),
    Command::new(
        "removehost",
        "remove hosts, or paths of a host",
        "-f -rvl -iscsi -pat -port=<n:s:p>[,...]",
        "<host>|<pattern> [<WWN>|<iscsi_name>]...",
        remove,
    ),
    Command::new(
        "sethost",
        "change a host, its CHAP accounts",
        "-f -name=<new_name> -persona=<id> -loc=<location> -ip=<IP> -os=<OS> -model=<model> -contact=<contact> \
         -comment=<comment> -hex -chapname=<name> -target",
        "<host> | initchap|targetchap <secret> <host> | removechap <host>",
        set,
    ),
];

/// Runs `createhost`. Without `-persona` it says which one it takes.
fn create(invocation: &Invocation<'_>) -> Answer {
    let [host, paths @ ..] = invocation.operands() else { return Err(invocation.misused("missing arguments")) };
    let persona = persona(invocation)?;
    let (fc_wwns, iscsi_names) = path_lists(invocation, paths)?;
    refuse_paths_of_others(invocation, host, paths)?;
    if invocation.has("-add") {
        let change = ModifyHost {
            persona: persona.map(|persona| i64::from(persona.wsapi_number())),
            path_operation: (!paths.is_empty()).then_some(1),
            fc_wwns,
            iscsi_names,
            descriptors: descriptors(invocation),
            ..ModifyHost::default()
        };
        let done = invocation.change(|array, now| array.modify_host(now, host, &change));
        return done.map(|_| Outcome::Done(String::new())).map_err(|error| About::host(host).refused(&error));
    }
    let request = CreateHost {
        name: Some(host.clone()),
        domain: invocation.options.owned("-domain"),
        persona: persona.map(|persona| i64::from(persona.wsapi_number())),
        fc_wwns,
        iscsi_names,
        force_tear_down: invocation.has("-f").then_some(true),
        descriptors: descriptors(invocation),
        ..CreateHost::default()
    };
    let made = invocation.change(|array, now| array.create_host(now, &request));
    made.map_err(|error| About::host(host).refused(&error))?;
    Ok(Outcome::Done(match persona {
        Some(_) => String::new(),
        None => {
            let default = Persona::default();
            format!("Setting default host persona {} ({})\n", default.cli_number(), default.name())
        }
    }))
}

/// The persona of `-persona`, by its number on the command line.
fn persona(invocation: &Invocation<'_>) -> Result<Option<Persona>, Outcome> {
    let Some(number) = invocation.number("-persona")? else { return Ok(None) };
    let persona = u8::try_from(number).ok().and_then(Persona::from_cli);
    persona
        .map(Some)
        .ok_or_else(|| Outcome::refused(format!("Invalid persona: {number}; showhost -listpersona lists them")))
}

/// The two path lists of a request: iSCSI names with `-iscsi`, else WWNs.
type PathLists = (Option<Vec<String>>, Option<Vec<String>>);

fn path_lists(invocation: &Invocation<'_>, paths: &[String]) -> Result<PathLists, Outcome> {
    if paths.is_empty() {
        return Ok((None, None));
    }
    if invocation.has("-iscsi") {
        for path in paths {
            Iqn::new(path).map_err(|_| Outcome::refused(format!("Invalid iSCSI name: {path}")))?;
        }
        return Ok((None, Some(paths.to_vec())));
    }
    for path in paths {
        FcWwn::new(path).map_err(|_| Outcome::refused(format!("Invalid WWN: {path}")))?;
    }
    Ok((Some(paths.to_vec()), None))
}

/// Refuses a path of another host, naming that host: clients look for `already used by host` to find a host by its path.
fn refuse_paths_of_others(invocation: &Invocation<'_>, host: &str, paths: &[String]) -> Result<(), Outcome> {
    invocation.read(|array| {
        for path in paths {
            let owner = Initiator::parse(path).ok().and_then(|initiator| array.host_of(&initiator));
            let Some(owner) = owner.filter(|owner| owner.name.as_str() != host || !invocation.has("-add")) else {
                continue;
            };
            let what = if invocation.has("-iscsi") { "iSCSI name" } else { "WWN" };
            return Err(Outcome::refused(format!("{what} {path} already used by host {} ({})", owner.name, owner.id)));
        }
        Ok(())
    })
}

fn descriptors(invocation: &Invocation<'_>) -> Option<HostDescriptors> {
    let text = |option: &str| invocation.options.owned(option);
    let given = HostDescriptors {
        location: text("-loc"),
        ip_addr: text("-ip"),
        os: text("-os"),
        model: text("-model"),
        contact: text("-contact"),
        comment: text("-comment"),
    };
    (given != HostDescriptors::default()).then_some(given)
}

/// Runs `sethost`.
fn set(invocation: &Invocation<'_>) -> Answer {
    match invocation.operands() {
        [mode, secret, host] if mode == "initchap" || mode == "targetchap" => set_chap(invocation, mode, secret, host),
        [mode, host] if mode == "removechap" => remove_chap(invocation, host),
        [mode, ..] if matches!(mode.as_str(), "initchap" | "targetchap" | "removechap") => {
            Err(invocation.misused(&format!("missing arguments for {mode}")))
        }
        [host] => {
            let change = ModifyHost {
                new_name: invocation.options.owned("-name"),
                persona: persona(invocation)?.map(|persona| i64::from(persona.wsapi_number())),
                descriptors: descriptors(invocation),
                ..ModifyHost::default()
            };
            if change == ModifyHost::default() {
                return Err(invocation.misused("nothing to change"));
            }
            modify(invocation, host, &change)
        }
        _ => Err(invocation.misused("a host is required")),
    }
}

fn modify(invocation: &Invocation<'_>, host: &str, change: &ModifyHost) -> Answer {
    let done = invocation.change(|array, now| array.modify_host(now, host, change));
    let named = change.new_name.as_deref().unwrap_or(host);
    let about = |error: &ArrayError| if error.code == ArrayError::non_existent_host().code { host } else { named };
    done.map_err(|error| About::host(about(&error)).refused(&error))?;
    Ok(Outcome::Done(String::new()))
}

fn set_chap(invocation: &Invocation<'_>, mode: &str, secret: &str, host: &str) -> Answer {
    let change = ModifyHost {
        chap_operation: Some(1),
        chap_operation_mode: Some(if mode == "initchap" { 1 } else { 2 }),
        // The target's name defaults to that of the array, the initiator's to that of the host.
        chap_name: invocation
            .options
            .owned("-chapname")
            .or_else(|| (mode == "targetchap").then(|| invocation.read(|array| array.config().name.clone()))),
        chap_secret: Some(secret.to_owned()),
        chap_secret_hex: invocation.has("-hex").then_some(true),
        ..ModifyHost::default()
    };
    modify(invocation, host, &change)
}

fn remove_chap(invocation: &Invocation<'_>, host: &str) -> Answer {
    invocation.read(|array| super::host_show::check_exists(array, host))?;
    if !invocation.has("-f") {
        return invocation.ask(format!("Are you sure you want to remove the CHAP accounts of host {host}?"));
    }
    let change = ModifyHost {
        chap_operation: Some(2),
        chap_remove_target_only: invocation.has("-target").then_some(true),
        ..ModifyHost::default()
    };
    modify(invocation, host, &change)
}

/// Runs `removehost`: the host, or with paths only those.
fn remove(invocation: &Invocation<'_>) -> Answer {
    let [host, paths @ ..] = invocation.operands() else { return Err(invocation.misused("missing arguments")) };
    if host.contains(['*', '?', '[']) && !invocation.has("-pat") {
        return Err(Outcome::refused(format!("host {host} does not exist (patterns need -pat)")));
    }
    let hosts = hosts_wanted(invocation, std::slice::from_ref(host))?;
    if hosts.is_empty() {
        return Err(Outcome::refused("no hosts listed"));
    }
    let names: Vec<String> = hosts.iter().map(|row| row.name.to_string()).collect();
    let (fc_wwns, iscsi_names) = path_lists(invocation, paths)?;
    if !invocation.has("-f") {
        let what = if paths.is_empty() { names.join(" ") } else { format!("{} {}", names.join(" "), paths.join(" ")) };
        return invocation.ask(format!("Are you sure you want to remove host {what}?"));
    }
    for host in &names {
        if paths.is_empty() {
            remove_host(invocation, host)?;
            continue;
        }
        let change = ModifyHost {
            path_operation: Some(2),
            fc_wwns: fc_wwns.clone(),
            iscsi_names: iscsi_names.clone(),
            force_path_removal: Some(true),
            ..ModifyHost::default()
        };
        modify(invocation, host, &change)?;
    }
    Ok(Outcome::Done(String::new()))
}

/// Removes a host; with `-rvl` the VLUNs that name it go first.
fn remove_host(invocation: &Invocation<'_>, host: &str) -> Result<(), Outcome> {
    if invocation.has("-rvl") {
        let filter = VlunFilter { host: Some(host.to_owned()), active: Some(false), ..VlunFilter::default() };
        for row in invocation.read(|array| array.vlun_rows(&filter)) {
            let address = row.address();
            let removed = invocation.change(|array, now| array.remove_vlun_as(now, &address, invocation.anomaly));
            removed.map_err(|error| About::host(host).refused(&error))?;
        }
    }
    let removed = invocation.change(|array, now| array.remove_host(now, host));
    removed.map_err(|error| About::host(host).refused(&error))
}
