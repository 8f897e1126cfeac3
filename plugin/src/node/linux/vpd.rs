//! The identity of a SCSI disk: VPD page 0x83, "Device Identification" (SPC-4 s. 7.8.6).

use crate::array::Wwn;

/// The WWN a page 0x83 names: its first binary NAA type 6 designator of the logical unit. `None` if there is none, or the
/// page is cut short before it.
pub(super) fn wwn(page: &[u8]) -> Option<Wwn> {
    let [_, 0x83, high, low, rest @ ..] = page else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let mut rest = rest.get(..length).unwrap_or(rest);
    while let [code_set, kind, _, length, after @ ..] = rest {
        let (designator, after) = after.split_at_checked(usize::from(*length))?;
        let of_logical_unit = kind & 0x30 == 0;
        if code_set & 0x0f == 1 && of_logical_unit && kind & 0x0f == 3 && designator.len() == 16 {
            let digits: String = designator.iter().map(|byte| format!("{byte:02x}")).collect();
            // Of another NAA type: look further, behind it may be one of type 6.
            if let Ok(wwn) = digits.parse() {
                return Some(wwn);
            }
        }
        rest = after;
    }
    None
}

/// The WWN in a kernel's text form, `naa.60002ac…` (sysfs attribute `wwid`).
pub(super) fn wwn_of_text(text: &str) -> Option<Wwn> {
    text.trim().strip_prefix("naa.")?.parse().ok()
}

/// The WWN in the name udev and multipath use: `3` and 32 digits.
pub(super) fn wwn_of_map_name(name: &str) -> Option<Wwn> {
    name.trim().strip_prefix('3')?.parse().ok()
}

/// HPE's identifier in the WWN of a volume of these arrays: NAA 6 and company 0x0002AC (observed in all volume WWNs).
pub(super) fn is_of_array(wwn: &Wwn) -> bool {
    wwn.as_str().starts_with("60002ac")
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) const WWN: &str = "60002ac0000000000000000100012345";

    /// A page with an ASCII designator, a port designator and the WWN.
    pub(crate) fn page(wwn: &str) -> Vec<u8> {
        let id = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let mut body = vec![0x02, 0x01, 0, 8];
        body.extend(b"3PARdata");
        body.extend([0x51, 0x94, 0, 4, 0, 0, 0, 1]);
        body.extend([0x01, 0x03, 0, 16]);
        body.extend(id(wwn));
        let mut page = vec![0, 0x83, 0, u8::try_from(body.len()).unwrap()];
        page.extend(body);
        page
    }

    #[test]
    fn the_naa_6_designator_of_the_logical_unit_is_the_wwn() {
        assert_eq!(wwn(&page(WWN)).unwrap().as_str(), WWN);
        let mut padded = page(WWN);
        padded.extend([0; 40]);
        assert_eq!(wwn(&padded).unwrap().as_str(), WWN);
        let mut of_port = page(WWN);
        of_port[4 + 12 + 8 + 1] = 0x13;
        assert_eq!(wwn(&of_port), None);
    }

    #[test]
    fn a_page_that_is_cut_short_names_nothing() {
        let page = page(WWN);
        for end in 0..page.len() - 1 {
            assert_eq!(wwn(&page[..end]), None, "{end}");
        }
        assert_eq!(wwn(&[0, 0x80, 0, 4, 1, 2, 3, 4]), None);
    }

    #[test]
    fn text_forms_are_read() {
        assert_eq!(wwn_of_text("naa.60002ac0000000000000000100012345\n").unwrap().as_str(), WWN);
        assert_eq!(wwn_of_text("t10.ATA"), None);
        assert_eq!(wwn_of_map_name("360002ac0000000000000000100012345").unwrap().as_str(), WWN);
        assert_eq!(wwn_of_map_name("mpatha"), None);
    }

    proptest! {
        #[test]
        fn no_page_panics(page in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = wwn(&page);
        }
    }
}
