//! `checkhealth`: what is wrong with the system.

use super::{Answer, Command, Invocation, Outcome};
use crate::cli::table::{Column, Table};

pub(super) const COMMANDS: &[Command] = &[Command::new(
    "checkhealth",
    "check the state of the system",
    "-svc -detail -list -full",
    "[<component>]...",
    check_health,
)];

/// Runs `checkhealth`: ports whose link is down are what there is to find.
fn check_health(invocation: &Invocation<'_>) -> Answer {
    const COMPONENTS: [&str; 14] =
        ["alert", "cage", "date", "host", "ld", "license", "network", "node", "pd", "port", "rc", "task", "vlun", "vv"];
    if invocation.has("-list") {
        return Ok(Outcome::Done(COMPONENTS.iter().map(|component| format!("{component}\n")).collect()));
    }
    if let Some(unknown) = invocation.operands().iter().find(|word| !COMPONENTS.contains(&word.as_str())) {
        return Err(Outcome::refused(format!("Invalid component: {unknown}; checkhealth -list lists them")));
    }
    let chosen = |component: &str| {
        invocation.operands().is_empty() || invocation.operands().iter().any(|word| word == component)
    };
    let mut text: String = COMPONENTS
        .iter()
        .filter(|component| chosen(component))
        .map(|component| format!("Checking {component}\n"))
        .collect();
    let down = invocation.read(|array| array.port_rows().iter().filter(|port| u8::from(port.link_state) != 4).count());
    if down == 0 || !chosen("port") {
        return Ok(Outcome::Done(text + "System is healthy\n"));
    }
    let columns = vec![Column::left("Component"), Column::left("-Summary Description-"), Column::sum("Qty")];
    let mut table = Table::new(columns);
    table.push(vec!["Port".to_owned(), "Ports not ready".to_owned(), down.to_string()]);
    text.push_str(&table.render(invocation.options.style(invocation.style)));
    Ok(Outcome::Done(text))
}
