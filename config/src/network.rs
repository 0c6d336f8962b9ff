//! Networks: an address with a prefix length, as a remote host may be told.

use std::net::{IpAddr, Ipv6Addr};

/// A network, IPv4 ones as the IPv6 ones that they are mapped to: sshd tells an IPv4 client
/// of a dual socket either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    base: u128,
    mask: u128,
}

/// The bits of an address that is written as a remote host; none: it is a name. A zone
/// (`fe80::1%eth0`) is left out.
pub(crate) fn address(text: &str) -> Option<u128> {
    let text = text.split_once('%').map_or(text, |(address, _)| address);
    Some(bits(text.parse().ok()?))
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Network {
    /// Reads `192.0.2.0/24`, `2001:db8::/32` or one address. None: this is no address at all.
    pub(crate) fn parse(text: &str) -> Option<Result<Network, String>> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = match address.parse() {
            Ok(address) => address,
            Err(_) if length.is_some() => {
                return Some(Err(format!("`{address}` is no IPv4 or IPv6 address")));
            }
            Err(_) => return None,
        };
        Some(Network::new(address, length))
    }

    fn new(address: IpAddr, length: Option<&str>) -> Result<Network, String> {
        let longest: u32 = if address.is_ipv4() { 32 } else { 128 };
        let given = match length {
            None => longest,
            Some(text) => match text.parse::<u32>() {
                Ok(given) if given <= longest && text.bytes().all(|b| b.is_ascii_digit()) => given,
                _ => {
                    return Err(format!(
                        "the prefix length `/{text}` is not /0 to /{longest}"
                    ));
                }
            },
        };
        let from_right = longest - given;
        // /0 of IPv6 shifts out all bits
        let mask = u128::MAX.checked_shl(from_right).unwrap_or(0);
        let base = bits(address);
        if base & !mask != 0 {
            let first = base & mask;
            let first = match address {
                IpAddr::V6(_) => Ipv6Addr::from_bits(first).to_string(),
                IpAddr::V4(_) => {
                    let first = u32::try_from(first & u128::from(u32::MAX)).unwrap_or(0);
                    std::net::Ipv4Addr::from_bits(first).to_string()
                }
            };
            return Err(format!(
                "the address has bits outside of /{given}; write {first}/{given}, or {address} for \
                 this host alone"
            ));
        }
        Ok(Network { base, mask })
    }

    pub(crate) fn has(self, address: u128) -> bool {
        address & self.mask == self.base
    }

    pub(crate) fn covers(self, other: Network) -> bool {
        other.mask & self.mask == self.mask && self.has(other.base)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn net(text: &str) -> Network {
        Network::parse(text).unwrap().unwrap()
    }

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        let cases = [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.9", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::", false),
            ("fe80::/10", "fe80::1%eth0", true),
            ("::1", "::1", true),
        ];
        for (network, host, want) in cases {
            assert_eq!(
                net(network).has(address(host).unwrap()),
                want,
                "{network} {host}"
            );
        }
        for name in [
            "",
            "mill",
            "192.0.2",
            "1.2.3.4.5",
            "192.0.2.7.example.org",
            "02.0.0.1",
        ] {
            assert_eq!(address(name), None, "{name}");
        }
    }

    #[test]
    fn wrong_networks_are_refused_and_names_are_none() {
        for wrong in [
            "192.0.2.0/33",
            "192.0.2.0/-1",
            "192.0.2.0/",
            "192.0.2.1/24",
            "::1/64",
            "mill/24",
            "::/129",
            "192.0.2.0/+8",
            "192.0.2.0/255.255.255.0",
        ] {
            assert!(Network::parse(wrong).unwrap().is_err(), "{wrong}");
        }
        assert!(Network::parse("mill.example.org").is_none());
    }

    #[test]
    fn a_wider_network_covers_a_narrower_one() {
        assert!(net("10.0.0.0/8").covers(net("10.1.0.0/16")));
        assert!(net("10.0.0.0/8").covers(net("10.0.0.0/8")));
        assert!(!net("10.1.0.0/16").covers(net("10.0.0.0/8")));
        assert!(!net("10.0.0.0/8").covers(net("11.0.0.0/16")));
        assert!(net("::/0").covers(net("10.0.0.0/8")));
    }
}
