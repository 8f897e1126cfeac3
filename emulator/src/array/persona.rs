//! Host personas: the WSAPI number, the command-line number and what the persona does to LUN numbers.

use serde::{Deserialize, Serialize};

use super::error::ArrayError;
use super::identity::Lun;

/// How the array presents itself to a host. The WSAPI and the command line number the personas differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "u8")]
pub enum Persona {
    /// Generic.
    Generic,
    /// Generic with ALUA: the default.
    #[default]
    GenericAlua,
    /// Generic, legacy.
    GenericLegacy,
    /// HP-UX, legacy.
    HpuxLegacy,
    /// AIX, legacy.
    AixLegacy,
    /// Egenera.
    Egenera,
    /// ONTAP, legacy.
    OntapLegacy,
    /// VMware.
    Vmware,
    /// OpenVMS.
    OpenVms,
    /// HP-UX.
    Hpux,
    /// Windows Server.
    WindowsServer,
    /// AIX with ALUA.
    AixAlua,
}

/// WSAPI number, command-line number, name on the command line. The command-line numbers other than 1, 2 and 11 are unverified.
const TABLE: [(Persona, u8, u8, &str); 12] = [
    (Persona::Generic, 1, 1, "Generic"),
    (Persona::GenericAlua, 2, 2, "Generic-ALUA"),
    (Persona::GenericLegacy, 3, 6, "Generic-legacy"),
    (Persona::HpuxLegacy, 4, 7, "HPUX-legacy"),
    (Persona::AixLegacy, 5, 8, "AIX-legacy"),
    (Persona::Egenera, 6, 9, "Egenera"),
    (Persona::OntapLegacy, 7, 10, "ONTAP-legacy"),
    (Persona::Vmware, 8, 11, "VMware"),
    (Persona::OpenVms, 9, 12, "OpenVMS"),
    (Persona::Hpux, 10, 13, "HPUX"),
    (Persona::WindowsServer, 11, 15, "WindowsServer"),
    (Persona::AixAlua, 12, 16, "AIX-ALUA"),
];

impl Persona {
    /// The persona with this WSAPI number.
    ///
    /// # Errors
    /// Code 46 when there is none.
    pub fn from_wsapi(number: i64) -> Result<Self, ArrayError> {
        TABLE
            .iter()
            .find(|row| i64::from(row.1) == number)
            .map(|row| row.0)
            .ok_or_else(|| ArrayError::bad_enum_value().with_ref("persona"))
    }

    /// The persona with this number of the command line.
    #[must_use]
    pub fn from_cli(number: u8) -> Option<Self> {
        TABLE.iter().find(|row| row.2 == number).map(|row| row.0)
    }

    /// Its row of the table.
    fn row(self) -> &'static (Self, u8, u8, &'static str) {
        &TABLE[self as usize]
    }

    /// Number in the WSAPI.
    #[must_use]
    pub fn wsapi_number(self) -> u8 {
        self.row().1
    }

    /// Number on the command line.
    #[must_use]
    pub fn cli_number(self) -> u8 {
        self.row().2
    }

    /// Name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().3
    }

    /// What the array does for hosts of this persona (1.2 guide p. 55; those of personas above 6 follow their likeness).
    #[must_use]
    pub fn capabilities(self) -> &'static [&'static str] {
        match self {
            Self::Generic => &["UARepLun", "SESLun"],
            Self::GenericAlua | Self::WindowsServer => &["UARepLun", "RTPG", "SESLun"],
            Self::GenericLegacy | Self::OntapLegacy => &[],
            Self::HpuxLegacy | Self::Hpux => &["VolSetAddr", "Lun0SCC"],
            Self::AixLegacy => &["NACA"],
            Self::Egenera => &["SoftInq"],
            Self::Vmware => &["SubLun", "ALUA"],
            Self::OpenVms => &["UARepLun", "RTPG", "SESLun", "Lun0SCC"],
            Self::AixAlua => &["RTPG", "NACA"],
        }
    }

    /// All personas as the WSAPI shows them.
    #[must_use]
    pub fn rows() -> Vec<serde_json::Value> {
        let row = |(persona, number, cli, name): &(Self, u8, u8, &str)| {
            serde_json::json!({
                "id": cli, "name": name, "wsapiAssignedId": number, "capabilities": persona.capabilities(),
            })
        };
        TABLE.iter().map(row).collect()
    }

    /// Whether hosts see the enclosure device at LUN 254 (capability SESLun, 1.2 guide p. 55).
    #[must_use]
    pub fn has_ses_lun(self) -> bool {
        matches!(self, Self::Generic | Self::GenericAlua | Self::WindowsServer)
    }

    /// Whether a volume may not have this LUN: 254 where the enclosure sits, 256 (protocol endpoint) for VMware
    /// (observed), 0 where the controller sits (capability Lun0SCC).
    #[must_use]
    pub fn reserves(self, lun: Lun) -> bool {
        match self {
            Self::HpuxLegacy | Self::Hpux => lun.get() == 0,
            Self::Vmware => lun.get() == 256,
            _ => self.has_ses_lun() && lun == Lun::SES,
        }
    }
}

impl From<Persona> for u8 {
    fn from(persona: Persona) -> Self {
        persona.wsapi_number()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_type() {
        for (persona, number, ..) in TABLE {
            assert_eq!(persona.wsapi_number(), number);
            assert_eq!(Persona::from_wsapi(i64::from(number)).unwrap(), persona);
        }
        assert_eq!(Persona::from_cli(11), Some(Persona::Vmware));
        assert_eq!(Persona::from_wsapi(13).unwrap_err().code, 46);
    }
}
