//! The system: `showsys`, `showversion`, `showwsapi`, `showlicense`, `showdate` and their kin.

use super::{Answer, Command, Invocation, Outcome};
use crate::{
    array::Timestamp,
    cli::table::{Column, Table, Total},
};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "setwsapi",
        "change settings of the REST service",
        "-f -timeout=<minutes> -pol=<policy> -http=enable|disable -https=enable|disable -evtstream=enable|disable",
        "",
        set_wsapi,
    ),
    Command::new("showcim", "show the CIM service", "-pol", "", show_cim),
    Command::new("showdate", "show the time of each node", "", "", show_date),
    Command::new("showlicense", "list licensed features", "-raw", "", show_license),
    Command::new("showpatch", "list patches", "-hist -d=<patch>", "[<patch>]...", show_patches),
    Command::new(
        "showsys",
        "show the system",
        "-d -param -fan -space -desc -domainspace -vvspace -devtype=FC|NL|SSD",
        "",
        show,
    ),
    Command::new("showversion", "show the software versions", "-a -b -s", "", show_version),
    Command::new("showwsapi", "show the REST service", "-d", "", show_wsapi),
    Command::new("showwsapisession", "list the sessions of the REST service", "", "", show_wsapi_sessions),
    Command::new("startwsapi", "start the REST service", "", "", start_wsapi),
];

/// Seconds since 1970 by the clock of the array.
pub(super) fn clock(invocation: &Invocation<'_>) -> u64 {
    invocation.read(|array| array.started_at().0 + array.now().as_secs())
}

/// Runs `showsys`.
fn show(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    Ok(Outcome::Done(if invocation.has("-space") {
        space(invocation)
    } else if invocation.has("-d") {
        details(invocation)
    } else if invocation.has("-param") {
        parameters(invocation)
    } else if invocation.has("-desc") {
        descriptors()
    } else if invocation.has("-fan") {
        fans(invocation)
    } else if invocation.has("-domainspace") || invocation.has("-vvspace") {
        cpg_space(invocation)
    } else {
        line(invocation)
    }))
}

/// The standard form (observed).
fn line(invocation: &Invocation<'_>) -> String {
    let (config, capacity) = invocation.read(|array| (array.config().clone(), array.capacity()));
    let mut table = Table::new(vec![
        Column::right("ID"),
        Column::right("-Name-"),
        Column::right("-Model-"),
        Column::right("-Serial-"),
        Column::right("Nodes"),
        Column::right("Master"),
        Column::right("ClusterLED"),
        Column::right("TotalCap"),
        Column::right("AllocCap"),
        Column::right("FreeCap"),
        Column::right("FailedCap"),
    ])
    .with_groups(&[
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (4, "----------------(MB)----------------"),
    ])
    .with_total(Total::None);
    table.push(vec![
        format!("{:#X}", config.system_id),
        config.name,
        config.model,
        config.serial,
        "2".to_owned(),
        "0".to_owned(),
        "Off".to_owned(),
        capacity.total_mib.to_string(),
        capacity.allocated_mib.to_string(),
        capacity.free_mib.to_string(),
        "0".to_owned(),
    ]);
    table.render(invocation.options.style(invocation.style))
}

/// The lines that clients read the capacity from.
fn space(invocation: &Invocation<'_>) -> String {
    let capacity = invocation.read(|array| array.capacity());
    let mut text = "------------- System Capacity (MB) -------------\n".to_owned();
    for (title, figure) in [
        ("Total Capacity", capacity.total_mib),
        ("  Allocated", capacity.allocated_mib),
        ("    Volumes", capacity.allocated_mib),
        ("    System", 0),
        ("  Free", capacity.free_mib),
        ("    Initialized", capacity.free_mib),
        ("    Uninitialized", 0),
        ("  Unavailable", 0),
        ("  Failed", 0),
    ] {
        text.push_str(&format!("{title:<30} : {figure:>12}\n"));
    }
    text
}

fn pairs(title: &str, pairs: &[(&str, String)]) -> String {
    let mut text = format!("{title:-^55}\n");
    for (name, value) in pairs {
        let line = format!("{name:<28} : {value:>24}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn details(invocation: &Invocation<'_>) -> String {
    let (config, capacity, version) =
        invocation.read(|array| (array.config().clone(), array.capacity(), array.config().personality.os_version()));
    let general = pairs(
        "General",
        &[
            ("System Name", config.name),
            ("System Model", config.model),
            ("Serial Number", config.serial),
            ("System ID", format!("{:#X}", config.system_id)),
            ("Number of Nodes", "2".to_owned()),
            ("Master Node", "0".to_owned()),
            ("Nodes Online", "0,1".to_owned()),
            ("Nodes in Cluster", "0,1".to_owned()),
            ("Cluster LED Status", "Off".to_owned()),
            ("Release version", version.to_owned()),
            ("Chunklet Size (MB)", "1024".to_owned()),
        ],
    );
    let capacities = pairs(
        "System Capacity (MB)",
        &[
            ("Total Capacity", capacity.total_mib.to_string()),
            ("Allocated Capacity", capacity.allocated_mib.to_string()),
            ("Free Capacity", capacity.free_mib.to_string()),
            ("Failed Capacity", "0".to_owned()),
        ],
    );
    format!("{general}\n{capacities}\n{}", descriptors())
}

fn descriptors() -> String {
    pairs("System Descriptors", &["Location", "Owner", "Contact", "Comment"].map(|name| (name, String::new())))
}

/// The parameters that `/system` has, by their names on the command line.
fn parameters(invocation: &Invocation<'_>) -> String {
    let row = invocation.read(|array| array.system_row());
    let mut text = "System parameters from configured settings\n\n------Parameter------ : --Value--\n".to_owned();
    for (name, member) in [
        ("RawSpaceAlertFC", "rawSpaceAlertFC"),
        ("RemoteSyslog", "remoteSyslog"),
        ("RemoteSyslogHost", "remoteSyslogHost"),
        ("SparingAlgorithm", "sparingAlgorithm"),
        ("EventLogSize", "eventLogsize"),
        ("VVRetentionTimeMax", "VVRetentionTimeMax"),
        ("PortFailoverEnabled", "portFailoverEnabled"),
        ("AutoExportAfterReboot", "autoExportAfterReboot"),
        ("AllowR5OnNLDrives", "allowR5OnNLDrives"),
        ("AllowR0", "allowR0"),
        ("ThermalShutdown", "thermalShutdown"),
        ("FailoverMatchedSet", "failoverMatchedSet"),
        ("SessionTimeout", "sessionTimeout"),
        ("HostDIF", "hostDIF"),
        ("DisableDedup", "disableDedup"),
    ] {
        let value = match &row["parameters"][member] {
            serde_json::Value::Bool(true) => "yes".to_owned(),
            serde_json::Value::Bool(false) => "no".to_owned(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        text.push_str(&format!("{name:<21} : {value:>9}\n"));
    }
    text
}

fn fans(invocation: &Invocation<'_>) -> String {
    let columns = vec![Column::right("FAN_ID"), Column::left("State"), Column::left("-Speed-")];
    let mut table = Table::new(columns).with_total(Total::None);
    for fan in 0..2_u8 {
        table.push(vec![fan.to_string(), "OK".to_owned(), "Normal".to_owned()]);
    }
    table.render(invocation.options.style(invocation.style))
}

/// `-domainspace` and `-vvspace`: what the CPGs of each domain hold.
fn cpg_space(invocation: &Invocation<'_>) -> String {
    let columns =
        vec![Column::left("-Domain-"), Column::left("-CPG-"), Column::sum("-Used(MB)-"), Column::right("-Free(MB)-")];
    let mut table = Table::new(columns);
    for row in invocation.read(|array| array.cpg_rows()) {
        table.push(vec![
            row["domain"].as_str().unwrap_or("-").to_owned(),
            row["name"].as_str().unwrap_or_default().to_owned(),
            row["UsrUsage"]["usedMiB"].to_string(),
            row["freeSpaceMiB"].to_string(),
        ]);
    }
    table.render(invocation.options.style(invocation.style))
}

/// Runs `showversion`; `-s` prints the release alone.
fn show_version(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let release = invocation.read(|array| array.config().personality.os_version());
    if invocation.has("-s") {
        return Ok(Outcome::Done(format!("{release}\n")));
    }
    let mut text = format!("Release version {release}\nPatches:  None\n\nComponent Name                   Version\n");
    for component in ["CLI Server", "CLI Client", "System Manager", "Kernel", "TPD Kernel Code"] {
        text.push_str(&format!("{component:<32} {release}\n"));
    }
    Ok(Outcome::Done(text))
}

/// Runs `showpatch`: there are none.
fn show_patches(invocation: &Invocation<'_>) -> Answer {
    if let Some(patch) = invocation.value("-d").or(invocation.operands().first().map(String::as_str)) {
        return Err(Outcome::refused(format!("Patch {patch} not recognized.")));
    }
    Ok(Outcome::Done("No patch is applied to the system.\n".to_owned()))
}

/// Runs `showdate`.
fn show_date(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let time = Timestamp(clock(invocation)).with_zone_name();
    let mut table = Table::new(vec![Column::left("Node"), Column::left("Date")]).with_total(Total::None);
    for node in 0..2_u8 {
        table.push(vec![node.to_string(), format!("{time} (UTC)")]);
    }
    invocation.print(&table, "")
}

/// Runs `showlicense`.
fn show_license(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let row = invocation.read(|array| array.system_row());
    let issued = row["licenseInfo"]["issueTimeSec"].as_u64().unwrap_or_default();
    let mut text = format!(
        "License key was generated on {}\n\nLicense features currently enabled:\n",
        Timestamp(issued).with_zone_name()
    );
    for license in row["licenseInfo"]["licenses"].as_array().into_iter().flatten() {
        text.push_str(&format!("{}\n", license["name"].as_str().unwrap_or_default()));
    }
    Ok(Outcome::Done(text))
}

/// Runs `showwsapi`.
fn show_wsapi(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let (version, sessions, limit, idle) = invocation.read(|array| {
        (array.api_version(), array.sessions_in_use(), array.config().session_limit, array.config().session_idle)
    });
    let version = format!("{}.{}.{}", version.major, version.minor, version.revision);
    if invocation.has("-d") {
        let mut text = "-------------WSAPI Server Configuration-------------\n".to_owned();
        for (name, value) in [
            ("Service State", "Enabled".to_owned()),
            ("HPE 3PAR UI", "Disabled".to_owned()),
            ("Server State", "Active".to_owned()),
            ("HTTP State", "Enabled".to_owned()),
            ("HTTP Port", "8008".to_owned()),
            ("HTTPS State", "Enabled".to_owned()),
            ("HTTPS Port", "8080".to_owned()),
            ("Number of Sessions Created", sessions.to_string()),
            ("System Resource Usage", limit.to_string()),
            ("Number of Sessions Active", sessions.to_string()),
            ("Version", version),
            ("Event Stream State", "Disabled".to_owned()),
            ("Session Timeout", format!("{} Minutes", idle.as_secs() / 60)),
            ("Policy", "no_per_user_limit".to_owned()),
        ] {
            text.push_str(&format!("{name:<26} : {value}\n"));
        }
        return Ok(Outcome::Done(text));
    }
    let titles = ["-Service-", "-State-", "-HTTP_State-", "HTTP_Port", "-HTTPS_State-", "HTTPS_Port", "-Version-"];
    let mut table = Table::new(titles.map(Column::left).to_vec()).with_total(Total::None);
    table.push(["Enabled", "Active", "Enabled", "8008", "Enabled", "8080", &version].map(str::to_owned).to_vec());
    invocation.print(&table, "")
}

/// Runs `showwsapisession`: how many there are; their keys are secrets.
fn show_wsapi_sessions(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let (open, user) = invocation.read(|array| (array.sessions_in_use(), array.config().user.clone()));
    let mut table = Table::new(vec![Column::right("Id"), Column::left("-User-"), Column::left("--Role--")]);
    for id in 1..=open {
        table.push(vec![id.to_string(), user.clone(), "super".to_owned()]);
    }
    invocation.print(&table, "There are no active WSAPI sessions")
}

/// Runs `startwsapi`: the service runs already.
fn start_wsapi(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    Ok(Outcome::Done("The Web Services API Server is already started\n".to_owned()))
}

/// Runs `setwsapi`: the idle time of sessions can be changed, other settings are taken as they are.
fn set_wsapi(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let minutes = invocation.number("-timeout")?;
    if minutes.is_some_and(|minutes| !(3..=1440).contains(&minutes)) {
        return Err(Outcome::refused("Invalid value for -timeout: must be between 3 and 1440 minutes"));
    }
    for option in ["-http", "-https", "-evtstream"] {
        if let Some(word) = invocation.value(option).filter(|word| !matches!(*word, "enable" | "disable")) {
            return Err(Outcome::refused(format!("Invalid value for {option}: {word}")));
        }
    }
    if !invocation.has("-f") {
        return invocation.ask("WSAPI settings will change; sessions may be restarted. Are you sure?");
    }
    if let Some(minutes) = minutes {
        invocation.change(|array, now| {
            array.set_session_idle(now, std::time::Duration::from_secs(60 * minutes.unsigned_abs()));
        });
    }
    Ok(Outcome::Done(String::new()))
}

/// Runs `showcim`: the service is off.
fn show_cim(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let titles = [
        "-Service-",
        "-State--",
        "--SLP--",
        "SLPPort",
        "-HTTP--",
        "HTTPPort",
        "-HTTPS-",
        "HTTPSPort",
        "PGVer",
        "CIMVer",
    ];
    let mut table = Table::new(titles.map(Column::left).to_vec()).with_total(Total::None);
    let cells = ["Disabled", "Inactive", "Enabled", "427", "Enabled", "5988", "Enabled", "5989", "2.9.1", "3.3.1"];
    table.push(cells.map(str::to_owned).to_vec());
    invocation.print(&table, "")
}
