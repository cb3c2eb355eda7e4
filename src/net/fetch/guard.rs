//! Which network addresses may be asked at all.
//!
//! A page's address comes from a user, but a redirect or a name server may point anywhere, so each hop and each
//! resolved address is checked, and a connection is made only to an address that was. Link-local and cloud metadata
//! addresses are always refused: they hand out keys to whoever asks. Behind a proxy the proxy resolves names; then only
//! names and literal addresses are checked here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::net::fetch::error::{Error, shown_text};

/// Names of metadata services, refused even where a proxy would resolve them.
const METADATA_NAMES: &[&str] = &["metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"];

/// Metadata addresses outside of the link-local range: Amazon's over IPv6, Alibaba's, Azure's wire server.
const METADATA_V4: &[Ipv4Addr] = &[Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16)];
const METADATA_V6: &[Ipv6Addr] = &[Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254)];

/// An address that is not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {why}")]
pub(super) struct Refusal {
    pub(super) address: String,
    pub(super) why: &'static str,
}

/// The policy. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    allow_private: bool,
    /// The host of the user's own proxy, which may live anywhere.
    proxy_host: Option<Arc<str>>,
}

impl Guard {
    pub(super) fn new(allow_private: bool, proxy: Option<&str>) -> Self {
        let proxy_host = proxy.and_then(|url| Url::parse(url).ok()).and_then(|url| url.host_str().map(Arc::from));
        Self { allow_private, proxy_host }
    }

    /// Checks the host of `url` as far as it can be without resolving it.
    pub(super) fn check_url(&self, url: &Url) -> Result<(), Error> {
        // The parser has brought decimal, octal and hexadecimal forms of IPv4 to the usual one.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let checked = match host.parse::<IpAddr>() {
            Ok(address) => self.check(address),
            Err(_) if METADATA_NAMES.iter().any(|name| host.trim_end_matches('.').eq_ignore_ascii_case(name)) => {
                Err(Refusal { address: host.to_owned(), why: "a cloud's metadata service" })
            }
            Err(_) => Ok(()),
        };
        checked.map_err(|refusal| refused(url, &refusal))
    }

    /// Checks one address.
    pub(super) fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        let refuse = |why| Err(Refusal { address: address.to_string(), why });
        let kind = match address {
            IpAddr::V4(v4) => kind_v4(v4),
            IpAddr::V6(v6) => embedded(v6).map_or_else(|| kind_v6(v6), kind_v4),
        };
        match kind {
            Kind::Metadata => refuse("a cloud's metadata service"),
            Kind::LinkLocal => refuse("link-local"),
            Kind::Group => refuse("no address of a single machine"),
            Kind::Private if !self.allow_private => refuse("private, and `allow_private` is off"),
            Kind::Private | Kind::Public => Ok(()),
        }
    }

    /// Those of `found` that may be asked.
    fn sift(&self, name: &str, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Refusal> {
        if self.proxy_host.as_deref() == Some(name) {
            return Ok(found.collect());
        }
        let mut allowed = Vec::new();
        let mut refusal = None;
        for address in found {
            match self.check(address.ip()) {
                Ok(()) => allowed.push(address),
                Err(reason) => refusal = Some(reason),
            }
        }
        match refusal {
            Some(reason) if allowed.is_empty() => Err(reason),
            _ => Ok(allowed),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = guard.sift(name.as_str(), found)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The error for `url` that `refusal` makes.
pub(super) fn refused(url: &Url, refusal: &Refusal) -> Error {
    Error::Refused { host: shown_text(url.host_str().unwrap_or_default()), address: refusal.address.clone(), why: refusal.why.to_owned() }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Public,
    /// This machine, or a network behind a router.
    Private,
    LinkLocal,
    Metadata,
    /// Multicast and broadcast.
    Group,
}

fn kind_v4(address: Ipv4Addr) -> Kind {
    let [a, b, c, _] = address.octets();
    if METADATA_V4.contains(&address) {
        return Kind::Metadata;
    }
    match (a, b, c) {
        (169, 254, _) => Kind::LinkLocal,
        (224..=239, ..) | (255, 255, 255) => Kind::Group,
        // 0/8 reaches this machine on Linux; 100.64/10 is a carrier's private range; 198.18/15 is for benchmarks.
        (0 | 10 | 127 | 240.., ..) | (192, 168, _) | (172, 16..=31, _) | (100, 64..=127, _) | (192, 0, 0) | (198, 18..=19, _) => {
            Kind::Private
        }
        _ => Kind::Public,
    }
}

fn kind_v6(address: Ipv6Addr) -> Kind {
    let first = address.segments()[0];
    if METADATA_V6.contains(&address) {
        Kind::Metadata
    } else if first & 0xffc0 == 0xfe80 {
        Kind::LinkLocal
    } else if first & 0xff00 == 0xff00 {
        Kind::Group
    } else if address.is_loopback() || address.is_unspecified() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfec0 {
        Kind::Private
    } else {
        Kind::Public
    }
}

/// The IPv4 address inside `address`: mapped, compatible, NAT64 (`64:ff9b::/96`) or 6to4 (`2002::/16`).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0, high @ 1..=0xffff, low] => {
            join(high, low)
        }
        [0x2002, high, low, ..] => join(high, low),
        _ => None,
    }
}
