//! Which addresses may be asked.

use std::net::IpAddr;
use std::str::FromStr;

use reqwest::dns::{Name, Resolve};

use super::*;

#[test]
fn addresses_are_sorted_by_what_they_reach() {
    let check = |address: &str, open: bool, closed: bool| {
        let ip: IpAddr = address.parse().unwrap();
        assert_eq!(Guard::new(true, false, None).check(ip).is_ok(), open, "{address} with private networks");
        assert_eq!(Guard::new(false, false, None).check(ip).is_ok(), closed, "{address} without");
    };
    for public in ["93.184.216.34", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "2002:101:101::1"] {
        check(public, true, true);
    }
    for private in [
        "127.0.0.1",
        "127.8.8.8",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "240.0.0.1",
        "198.18.0.1",
        "::1",
        "::",
        "fc00::1",
        "fd12::1",
        "fec0::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::1",
        "::7f00:1",
    ] {
        check(private, true, false);
    }
    for never in [
        "169.254.169.254",
        "169.254.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "fe80::1",
        "febf::1",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "::a9fe:a9fe",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
    ] {
        check(never, false, false);
    }
}

#[tokio::test]
async fn every_way_to_write_a_metadata_address_is_refused() {
    let fetcher = fetcher(Options::default());
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "http://169.254.169.254./",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://①⑥⑨.254.169.254/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://METADATA.google.internal./",
    ] {
        let error = fetcher.get(page(url)).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn this_machine_is_fetched_only_where_private_networks_are() {
    let site = Site::plain(|_| reply(200, &[], "home")).await;
    let by_name = site.at("/").replace("127.0.0.1", "localhost");
    let open = fetcher(Options::default());
    assert_eq!(open.get(page(site.at("/"))).await.unwrap().body, "home");
    assert_eq!(open.get(page(&by_name)).await.unwrap().body, "home");

    let closed = fetcher(Options { allow_private: false, ..Options::default() });
    for url in [site.at("/"), by_name] {
        let error = closed.get(page(url)).await.unwrap_err();
        assert!(matches!(&error, Error::Refused { why, .. } if why.contains("`allow_private` is off")), "{error:?}");
    }
    assert_eq!(site.hits().len(), 2, "no connection brought a request");
}

#[tokio::test]
async fn a_name_that_resolves_to_a_forbidden_address_has_none() {
    let resolve = async |guard: &Guard, name: &str| guard.resolve(Name::from_str(name).unwrap()).await.map(Iterator::collect::<Vec<_>>);
    let guard = Guard::new(true, false, None);
    let Err(error) = resolve(&guard, "169.254.169.254").await else { panic!("resolved") };
    assert_eq!(
        error.to_string(),
        "169.254.169.254 is link-local: watchers go there with `allow_metadata` under [fetch], tools and logins never"
    );
    assert_eq!(resolve(&guard, "127.0.0.1").await.unwrap().len(), 1);

    let behind_proxy = Guard::new(false, false, Some("http://127.0.0.1:3128"));
    assert_eq!(resolve(&behind_proxy, "127.0.0.1").await.unwrap().len(), 1, "the user's own proxy may live anywhere");
    assert!(resolve(&behind_proxy, "127.0.0.2").await.is_err());
}

/// Stands in for an address on the internet.
const PUBLIC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

fn with_public(options: Options) -> Fetcher {
    let guard = options.guard(None).with_public(PUBLIC);
    Fetcher::guarded(guard, Some("off".into()), options, Arc::new(ManualClock::starting_at(NOON)))
}

#[tokio::test]
async fn a_public_page_leads_to_no_private_one() {
    let home = Site::plain(|_| reply(200, &[], "secret")).await;
    let (literal, by_name) = (home.at("/admin"), home.at("/admin").replace("127.0.0.1", "localhost"));
    let public = Site::on(PUBLIC, move |hit| {
        let answer = match hit.path.as_str() {
            "/literal" => reply(302, &[("location", &literal)], ""),
            "/name" => reply(302, &[("location", &by_name)], ""),
            "/metadata" => reply(302, &[("location", "http://169.254.169.254/")], ""),
            "/round" => reply(302, &[("location", "/literal")], ""),
            "/on" => reply(302, &[("location", "/page")], ""),
            _ => reply(200, &[], "page"),
        };
        std::future::ready(answer)
    })
    .await;
    let fetcher = with_public(Options::default());
    for path in ["/literal", "/name", "/round"] {
        for request in [page(public.at(path)), Request::new(public.at(path))] {
            let error = fetcher.get(request).await.unwrap_err();
            assert!(matches!(&error, Error::Refused { why, .. } if why.contains("a public page led there")), "{path}: {error:?}");
        }
    }
    assert!(matches!(fetcher.get(page(public.at("/metadata"))).await, Err(Error::Refused { .. })));
    assert_eq!(fetcher.get(page(public.at("/on"))).await.unwrap().body, "page");
    assert_eq!(home.hits().len(), 0, "not even for its robots.txt");
    assert_eq!(fetcher.get(page(home.at("/admin"))).await.unwrap().body, "secret", "who gives the address may have it");
}

#[test]
fn metadata_is_reached_only_where_the_config_says_so() {
    let (closed, open) = (Guard::new(true, false, None), Guard::new(true, true, None));
    for host in ["169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal"] {
        assert!(closed.check_host(host).is_err(), "{host}");
        assert_eq!(open.check_host(host), Ok(()), "{host}");
    }
    assert!(open.outside().check_host("169.254.169.254").is_err(), "a page leads nobody there");
}
