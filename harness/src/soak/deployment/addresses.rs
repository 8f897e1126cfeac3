//! Loopback addresses of a soak: every part has one of its own, and two soaks at a time do not meet.

use std::net::Ipv4Addr;

/// Address of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A member of etcd, from 0.
    Member(usize),
    /// The address a member tells the others, from 0.
    MemberForPeers(usize),
    /// The array.
    Array,
    /// A worker, from 0.
    Worker(usize),
}

/// The address of a part of this process's soak: 127.64.0.0/10, then the process id.
#[must_use]
pub fn address_of(part: Part) -> Ipv4Addr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let number = match part {
        Part::Member(number) => 1 + number,
        Part::MemberForPeers(number) => 11 + number,
        Part::Array => 21,
        Part::Worker(number) => 31 + number,
    };
    Ipv4Addr::new(127, 64 | (high & 0x3f), low, u8::try_from(number).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_part_has_an_address_of_its_own_on_loopback() {
        let members = (0..3).flat_map(|number| [Part::Member(number), Part::MemberForPeers(number)]);
        let parts = members.chain([Part::Array]).chain((0..64).map(Part::Worker));
        let addresses: Vec<Ipv4Addr> = parts.map(address_of).collect();
        assert!(addresses.iter().all(Ipv4Addr::is_loopback));
        assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), addresses.len());
    }
}
