//! Which network addresses may be asked at all: one rule for pages, posts and rendered pages.
//!
//! - Link-local and cloud metadata addresses hand out keys to whoever asks: they are refused unless the config says
//!   `[fetch] allow_metadata = true`. Multicast and broadcast are refused always.
//! - An address that a person gave, in the config or in a task, may be private (this machine, the network behind the
//!   router), unless `[fetch] allow_private = false`.
//! - What a public host leads to may not: a redirect, or what a rendered page loads, must be public as well
//!   ([`Guard::outside`]). A stranger's page has no business on this network.
//! - Posts follow no redirect at all.
//! - An address that a model chose ([`Guard::chosen`]) may be private only where `[web]` says so, and names that only a
//!   local network knows are not even looked up.
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

/// Ends of names that stand for this machine or its network: RFC 6761 (`localhost`), RFC 6762 (`local`, and the others of
/// its appendix G), RFC 8375 (`home.arpa`), and `internal`, which ICANN set aside for private use in 2024.
const LOCAL_NAMES: &[&str] = &["localhost", "local", "internal", "home.arpa", "intranet", "private", "corp", "home", "lan", "localdomain"];

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
    /// A model chose the address: the hosts that may be private all the same, as a person named them.
    chosen: Option<Arc<[String]>>,
    /// The hosts of the user's own proxies, which may live anywhere.
    proxy_hosts: Arc<[String]>,
    /// Stands in for the system's resolver in tests.
    #[cfg(test)]
    names: Option<Names>,
    /// Stands in for a public address in tests: there is no internet in them.
    #[cfg(test)]
    public: Option<IpAddr>,
}

/// A resolver for tests: the addresses of a name, in the moment it is asked.
#[cfg(test)]
#[derive(Clone)]
pub(crate) struct Names(pub(crate) Arc<dyn Fn(&str) -> Vec<IpAddr> + Send + Sync>);

#[cfg(test)]
impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

impl Guard {
    /// A guard that lets private or metadata addresses pass as said; `proxy` as in [`crate::net::Options::proxy`].
    pub fn new(allow_private: bool, allow_metadata: bool, proxy: Option<&str>) -> Self {
        let hosts = proxy.and_then(|url| Url::parse(url).ok()).and_then(|url| url.host_str().map(str::to_owned));
        Self { allow_private, allow_metadata, proxy_hosts: hosts.into_iter().collect(), ..Self::default() }
    }

    /// The same for an address that a model chose: private ones only where `allow_private` says so, or at one of `hosts`
    /// (names or literal addresses). What is no address of a single machine, or a metadata service, stays refused.
    #[must_use]
    pub fn chosen(&self, allow_private: bool, hosts: &[String]) -> Self {
        let plain = |host: &String| host.trim().trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let hosts = hosts.iter().map(plain).filter(|host| !host.is_empty()).collect();
        Self { allow_private, allow_metadata: false, chosen: Some(hosts), ..self.clone() }
    }

    /// Whether it is for addresses that a model chose.
    pub fn is_for_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    /// Whether a private address may be asked at `host`.
    pub fn lets_private(&self, host: &str) -> bool {
        !self.outside && self.at(host).allow_private
    }

    /// The rule for `host`: what a person named for a model may be private.
    fn at(&self, host: &str) -> Self {
        let host = host.trim_matches(['[', ']']).trim_end_matches('.');
        match &self.chosen {
            Some(hosts) if hosts.iter().any(|named| named.eq_ignore_ascii_case(host)) => {
                Self { allow_private: true, outside: false, elsewhere: false, ..self.clone() }
            }
            _ => self.clone(),
        }
    }

    /// The same, with `names` in place of the system's resolver.
    #[cfg(test)]
    pub(crate) fn with_names(self, names: Names) -> Self {
        Self { names: Some(names), ..self }
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
            Ok(address) => self.at(host).check(address),
            Err(_) if !self.allow_metadata && METADATA_NAMES.iter().any(|name| host.trim_end_matches('.').eq_ignore_ascii_case(name)) => {
                Err(Refusal { address: host.to_owned(), why: METADATA })
            }
            Err(_) if self.chosen.is_some() && !self.at(host).allow_private && self.is_local_name(host) => {
                Err(Refusal { address: host.to_owned(), why: LOCAL })
            }
            Err(_) => Ok(()),
        }
    }

    /// Whether a name is one that only a local network knows: one word, a reserved end, the user's own proxy.
    fn is_local_name(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let ends = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        !name.contains('.') || LOCAL_NAMES.iter().copied().any(ends) || self.proxy_hosts.contains(&name)
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
            Kind::LinkLocal if !self.allow_metadata => refuse(LINK_LOCAL),
            Kind::Group => refuse("no address of a single machine"),
            Kind::Private | Kind::LinkLocal | Kind::Metadata if self.outside => {
                refuse("not public, and a public page led there; watch it itself if that is meant")
            }
            Kind::Private if self.elsewhere && is_this_machine(address) => refuse("this very machine, and another one led there"),
            Kind::Private if !self.allow_private && self.chosen.is_some() => refuse(CHOSEN_PRIVATE),
            Kind::Private if !self.allow_private => refuse("private, and `allow_private` is off under [fetch]"),
            Kind::Private | Kind::LinkLocal | Kind::Metadata | Kind::Public => Ok(()),
        }
    }

    /// Whether an address is one of the internet.
    pub fn is_public_address(&self, address: IpAddr) -> bool {
        self.kind(address) == Kind::Public
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
        match self.look_up(host, 0).await {
            Ok(found) => found.into_iter().map(|address| address.ip()).any(public),
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
        let found = self.look_up(host, port).await?;
        self.sift(host, found.into_iter()).map_err(std::io::Error::other)
    }

    /// What `name` stands for right now.
    #[cfg_attr(not(test), allow(clippy::unused_self, reason = "only tests have a resolver of their own"))]
    async fn look_up(&self, name: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        #[cfg(test)]
        if let Some(names) = &self.names {
            return Ok((names.0)(name).into_iter().map(|address| SocketAddr::new(address, port)).collect());
        }
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }

    /// Those of `found` that may be asked.
    fn sift(&self, name: &str, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Refusal> {
        if self.proxy_hosts.iter().any(|host| host == name) {
            return Ok(found.collect());
        }
        let rule = self.at(name);
        let mut allowed = Vec::new();
        let mut refusal = None;
        for address in found {
            match rule.check(address.ip()) {
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

/// Why a private address that a model chose is not asked.
const CHOSEN_PRIVATE: &str = "private, and a tool does not go there by itself; `[web] allow_hosts` names hosts that may be private, `[web] allow_private` allows all";

/// Why a name of a local network is not looked up for a model.
const LOCAL: &str = "a name of this network, and a tool does not go there by itself; `[web] allow_hosts` names hosts that may be private";

/// Why a link-local address is not asked.
const LINK_LOCAL: &str = "link-local: watchers go there with `allow_metadata` under [fetch], tools and logins never";

/// Why a metadata service is not asked.
const METADATA: &str = "a cloud's metadata service: watchers go there with `allow_metadata` under [fetch], tools and logins never";

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = guard.look_up(name.as_str(), 0).await?;
            let allowed = guard.sift(name.as_str(), found.into_iter())?;
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
    } else if address.is_loopback()
        || address.is_unspecified()
        || first & 0xfe00 == 0xfc00
        || first & 0xffc0 == 0xfec0
        || is_special(address)
    {
        Kind::Private
    } else {
        Kind::Public
    }
}

/// What is on no public network although it looks like it (IANA's registry of special-purpose addresses): NAT64 of a
/// network's own (RFC 8215), Teredo, discard-only, ORCHID, documentation, segment routing.
fn is_special(address: Ipv6Addr) -> bool {
    matches!(
        address.segments(),
        [0x64, 0xff9b, 1, ..] | [0x2001, 0 | 0x10..=0x2f | 0xdb8, ..] | [0x100, 0, 0, 0, ..] | [0x3fff, 0..=0xfff, ..] | [0x5f00, ..]
    )
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
