//! Which network addresses may be asked at all: one rule for pages, posts and rendered pages.
//!
//! - Link-local and cloud metadata addresses hand out keys to whoever asks: they are refused unless the config says
//!   `[fetch] allow_metadata = true`. Multicast and broadcast are refused always.
//! - An address that a person gave, in the config or in a task, may be private (this machine, the network behind the
//!   router), unless `[fetch] allow_private = false`.
//! - What a public host leads to may not: a redirect, or what a rendered page loads, must be public as well
//!   ([`Guard::outside`]). A stranger's page has no business on this network.
//! - Posts follow no redirect at all.
//!
//! A name is checked by what it resolves to, in the moment of the connection, which is made only to an address that was
//! checked. Behind a proxy the proxy resolves names; then only names and literal addresses are checked here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Names of metadata services, refused even where a proxy would resolve them.
const METADATA_NAMES: &[&str] = &["metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"];

/// Metadata addresses outside of the link-local range: Amazon's over IPv6, Alibaba's, Azure's wire server.
const METADATA_V4: &[Ipv4Addr] = &[Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16)];
const METADATA_V6: &[Ipv6Addr] = &[Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254)];

/// An address that is not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {why}")]
pub struct Refusal {
    /// The address, or the name that stands for it.
    pub address: String,
    /// What kind of address that is, and the option that allows it where there is one.
    pub why: &'static str,
}

/// The policy. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allow_private: bool,
    allow_metadata: bool,
    /// A public host led here.
    outside: bool,
    /// A host of another machine led here.
    elsewhere: bool,
    /// The host of the user's own proxy, which may live anywhere.
    proxy_host: Option<Arc<str>>,
    /// Stands in for a public address in tests: there is no internet in them.
    #[cfg(test)]
    public: Option<IpAddr>,
}

impl Guard {
    /// A guard that lets private or metadata addresses pass as said; `proxy` as in [`crate::net::Options::proxy`].
    pub fn new(allow_private: bool, allow_metadata: bool, proxy: Option<&str>) -> Self {
        let proxy_host = proxy.and_then(|url| Url::parse(url).ok()).and_then(|url| url.host_str().map(Arc::from));
        Self { allow_private, allow_metadata, proxy_host, ..Self::default() }
    }

    /// The same, with `address` in the place of a public one.
    #[cfg(test)]
    pub(crate) fn with_public(self, address: IpAddr) -> Self {
        Self { public: Some(address), ..self }
    }

    /// The same for what a public host leads to.
    pub fn outside(&self) -> Self {
        Self { outside: true, ..self.clone() }
    }

    /// The same for what another machine leads to: not to this very machine.
    pub fn elsewhere(&self) -> Self {
        Self { elsewhere: true, ..self.clone() }
    }

    /// Checks the host of an address as far as it can be without resolving it.
    ///
    /// # Errors
    /// When it is refused.
    pub fn check_host(&self, host: &str) -> Result<(), Refusal> {
        // The parser of addresses has brought decimal, octal and hexadecimal forms of IPv4 to the usual one.
        let host = host.trim_matches(['[', ']']);
        match host.parse::<IpAddr>() {
            Ok(address) => self.check(address),
            Err(_) if !self.allow_metadata && METADATA_NAMES.iter().any(|name| host.trim_end_matches('.').eq_ignore_ascii_case(name)) => {
                Err(Refusal { address: host.to_owned(), why: METADATA })
            }
            Err(_) => Ok(()),
        }
    }

    /// Checks the host of `url` as [`check_host`](Self::check_host) does; what is no address is left to others.
    ///
    /// # Errors
    /// When it is refused.
    pub fn check_url(&self, url: &str) -> Result<(), Refusal> {
        Url::parse(url).map_or(Ok(()), |url| self.check_host(url.host_str().unwrap_or_default()))
    }

    /// Checks one address.
    ///
    /// # Errors
    /// When it is refused.
    pub fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        let refuse = |why| Err(Refusal { address: address.to_string(), why });
        match self.kind(address) {
            Kind::Metadata if !self.allow_metadata => refuse(METADATA),
            Kind::LinkLocal if !self.allow_metadata => refuse("link-local, and `allow_metadata` is off"),
            Kind::Group => refuse("no address of a single machine"),
            Kind::Private | Kind::LinkLocal | Kind::Metadata if self.outside => {
                refuse("not public, and a public page led there; watch it itself if that is meant")
            }
            Kind::Private if self.elsewhere && is_this_machine(address) => refuse("this very machine, and another one led there"),
            Kind::Private if !self.allow_private => refuse("private, and `allow_private` is off"),
            Kind::Private | Kind::LinkLocal | Kind::Metadata | Kind::Public => Ok(()),
        }
    }

    /// Whether what answers for `host` is public. `peer` is who answered, where that is known; a name whose addresses
    /// cannot be found, as behind a proxy, counts as public.
    pub async fn is_public(&self, host: &str, peer: Option<IpAddr>) -> bool {
        let public = |address: IpAddr| self.kind(address) == Kind::Public;
        let host = host.trim_matches(['[', ']']);
        if let Ok(address) = host.parse::<IpAddr>() {
            return public(address);
        }
        if peer.is_some_and(public) {
            return true;
        }
        match tokio::net::lookup_host((host, 0)).await {
            Ok(found) => found.map(|address| address.ip()).any(public),
            Err(_) => true,
        }
    }

    /// The addresses of `host` that may be asked, with `port`.
    ///
    /// # Errors
    /// When it has none, or only such that are refused.
    pub async fn resolve_host(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, std::io::Error> {
        self.check_host(host).map_err(std::io::Error::other)?;
        let host = host.trim_matches(['[', ']']);
        let found = tokio::net::lookup_host((host, port)).await?;
        self.sift(host, found).map_err(std::io::Error::other)
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

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only tests have an exception"))]
    fn kind(&self, address: IpAddr) -> Kind {
        #[cfg(test)]
        if self.public == Some(address) {
            return Kind::Public;
        }
        match address {
            IpAddr::V4(v4) => kind_v4(v4),
            IpAddr::V6(v6) => embedded(v6).map_or_else(|| kind_v6(v6), kind_v4),
        }
    }
}

/// Why a metadata service is not asked.
const METADATA: &str = "a cloud's metadata service, and `allow_metadata` is off";

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

fn is_this_machine(address: IpAddr) -> bool {
    let address = match address {
        IpAddr::V6(v6) => embedded(v6).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    address.is_loopback() || address.is_unspecified()
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
