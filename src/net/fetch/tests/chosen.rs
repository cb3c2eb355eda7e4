//! Addresses that a model chose: nothing reaches a private one, however it is written and whatever a name resolves to.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::net::guard::Names;

/// Stands in for an address on the internet.
const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// This machine.
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A listener of a private network that counts who comes.
struct Trap {
    port: u16,
    caught: Arc<AtomicUsize>,
}

impl Trap {
    async fn on(port: u16) -> Self {
        let listener = TcpListener::bind((HOME, port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let caught = Arc::new(AtomicUsize::new(0));
        let count = caught.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4_096]).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret").await;
            }
        });
        Self { port, caught }
    }

    fn caught(&self) -> usize {
        self.caught.load(Ordering::SeqCst)
    }
}

/// A fetcher for what a model chose, and one for what a person gave, over the same lines; names resolve as `names` says.
fn fetchers(names: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static, hosts: &[&str]) -> (Fetcher, Fetcher) {
    let options = Options::default();
    let guard = options.guard(None).with_public(PUBLIC).with_names(Names(Arc::new(names)));
    let open = Fetcher::guarded(guard, Some("off".into()), options, Arc::new(ManualClock::starting_at(NOON)));
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    (open.for_chosen(false, &hosts), open)
}

/// A site at an address that stands in for a public one; closes each connection, so that the next look resolves anew.
async fn public(answer: impl Fn(&Hit) -> Response + Clone + Send + Sync + 'static) -> Site {
    Site::on(PUBLIC, move |hit| {
        let mut response = answer(&hit);
        response.headers_mut().insert("connection", "close".parse().unwrap());
        std::future::ready(response)
    })
    .await
}

fn port_of(site: &Site) -> u16 {
    site.url.rsplit(':').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn no_way_to_write_a_private_address_gets_there() {
    let trap = Trap::on(0).await;
    let (chosen, _) = fetchers(|_| vec![HOME], &[]);
    let port = trap.port;
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "0x7f.1",
        "0x7f000001",
        "127.0.0.1%2e",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::7f00:1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::1]",
        "[2001:0:1:2:3:4:80ff:fffe]",
        "[fe80::1]",
        "[fec0::1]",
        "[fd00::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "a.localhost",
        "printer",
        "nas.local",
        "db.internal",
        "db.INTERNAL.",
        "router.lan",
        "x.home.arpa",
        "wiki.corp",
        "metadata.google.internal",
        // A public name that stands for a private address.
        "private.test",
    ] {
        for request in [page(format!("http://{host}:{port}/")), Request::new(format!("http://{host}:{port}/robots-too"))] {
            let error = chosen.get(request).await.unwrap_err();
            assert!(matches!(error, Error::Refused { .. } | Error::BadUrl { .. }), "{host}: {error:?}");
        }
    }
    for url in [
        format!("http://good.test@127.0.0.1:{port}/"),
        format!("http://good.test:pw@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}\\@good.test/"),
        format!("http://good.test#@127.0.0.1:{port}/"),
        format!("http:127.0.0.1:{port}/"),
        format!("http:///127.0.0.1:{port}/"),
        format!("HTTP://127.0.0.1:{port}/"),
        format!("  http://127.0.0.1:{port}/  "),
        format!("http://127.0.0.1\t:{port}/"),
        "file:///etc/passwd".to_owned(),
        format!("gopher://127.0.0.1:{port}/"),
    ] {
        let error = chosen.get(page(&url)).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. } | Error::BadUrl { .. }), "{url}: {error:?}");
    }
    assert_eq!(trap.caught(), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gets_nobody_in() {
    let site = public(|_| reply(200, &[], "public")).await;
    let trap = Trap::on(port_of(&site)).await;
    let looked = Arc::new(AtomicUsize::new(0));
    let count = looked.clone();
    // Public on the first look-up, private from the second on.
    let (chosen, _) = fetchers(move |_| vec![if count.fetch_add(1, Ordering::SeqCst) == 0 { PUBLIC } else { HOME }], &[]);
    let url = format!("http://rebind.test:{}/", trap.port);
    assert_eq!(chosen.get(page(&url)).await.unwrap().body, "public", "the address that was checked is the one that is asked");
    for _ in 0..3 {
        let error = chosen.get(Request { fresh: true, ..page(&url) }).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    }
    assert!(looked.load(Ordering::SeqCst) >= 4, "each connection looks the name up, and checks what it finds");
    assert_eq!(trap.caught(), 0);
}

#[tokio::test]
async fn the_robots_file_is_no_way_in_either() {
    let site = public(|_| reply(404, &[], "")).await;
    let trap = Trap::on(port_of(&site)).await;
    let looked = AtomicUsize::new(0);
    let (chosen, _) = fetchers(move |_| vec![if looked.fetch_add(1, Ordering::SeqCst) == 0 { PUBLIC } else { HOME }], &[]);
    let error = chosen.get(Request::new(format!("http://rebind.test:{}/page", trap.port))).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert_eq!((site.paths(), trap.caught()), (vec!["/robots.txt".to_owned()], 0));
}

#[tokio::test]
async fn of_several_addresses_only_the_public_ones_are_asked() {
    let site = public(|_| reply(200, &[], "public")).await;
    let trap = Trap::on(port_of(&site)).await;
    let (chosen, _) = fetchers(|_| vec![HOME, PUBLIC, HOME], &[]);
    assert_eq!(chosen.get(page(format!("http://both.test:{}/", trap.port))).await.unwrap().body, "public");
    assert_eq!(trap.caught(), 0);
}

#[tokio::test]
async fn no_redirect_leads_to_a_private_address() {
    let trap = Trap::on(0).await;
    let port = trap.port;
    let site = public(move |hit| {
        let target = match hit.path.as_str() {
            "/literal" => format!("http://127.0.0.1:{port}/"),
            "/decimal" => format!("http://2130706433:{port}/"),
            "/six" => format!("http://[::ffff:127.0.0.1]:{port}/"),
            "/name" => format!("http://private.test:{port}/"),
            "/local" => format!("http://localhost:{port}/"),
            "/user" => format!("http://good.test@127.0.0.1:{port}/"),
            "/scheme" => format!("//127.0.0.1:{port}/"),
            "/twice" => "/literal".to_owned(),
            _ => return reply(200, &[], "page"),
        };
        reply(if hit.path == "/six" { 308 } else { 302 }, &[("location", &target)], "")
    })
    .await;
    let (chosen, _) = fetchers(|name| vec![if name == "good.test" { PUBLIC } else { HOME }], &[]);
    let at = |path: &str| format!("http://good.test:{}{path}", port_of(&site));
    for path in ["/literal", "/decimal", "/six", "/name", "/local", "/user", "/scheme", "/twice"] {
        let error = chosen.get(page(at(path))).await.unwrap_err();
        assert!(matches!(error, Error::Refused { .. } | Error::BadUrl { .. }), "{path}: {error:?}");
    }
    assert_eq!(chosen.get(page(at("/fine"))).await.unwrap().body, "page");
    assert_eq!(trap.caught(), 0);
}

#[tokio::test]
async fn hosts_that_a_person_named_are_reached_and_nothing_beside_them() {
    let trap = Trap::on(0).await;
    let (chosen, open) = fetchers(|_| vec![HOME], &["wiki.corp", "127.0.0.1"]);
    let url = |host: &str| format!("http://{host}:{}/", trap.port);
    assert_eq!(chosen.get(page(url("wiki.corp"))).await.unwrap().body, "secret");
    assert_eq!(chosen.get(page(url("127.0.0.1"))).await.unwrap().body, "secret");
    assert_eq!(trap.caught(), 2);
    for host in ["other.corp", "wiki.corp.evil.test", "[::ffff:127.0.0.1]", "localhost"] {
        assert!(matches!(chosen.get(page(url(host))).await, Err(Error::Refused { .. })), "{host}");
    }
    assert_eq!(trap.caught(), 2);
    let metadata = open.for_chosen(true, &["169.254.169.254".to_owned()]);
    assert!(matches!(metadata.get(page("http://169.254.169.254/")).await, Err(Error::Refused { .. })), "never, whoever names it");
    assert_eq!(open.for_chosen(true, &[]).get(page(url("other.corp"))).await.unwrap().body, "secret", "where all private ones are allowed");
}

#[tokio::test]
async fn who_may_reach_less_does_not_share_the_fetch_of_who_may_reach_more() {
    let (begun, wait) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (began, goes_on) = (begun.clone(), wait.clone());
    let site = Site::start(move |_| {
        let (began, goes_on) = (began.clone(), goes_on.clone());
        async move {
            began.notify_one();
            goes_on.notified().await;
            reply(200, &[], "secret")
        }
    })
    .await;
    let (chosen, open) = fetchers(|_| vec![HOME], &[]);
    let url = site.at("/");
    let task = tokio::spawn({
        let url = url.clone();
        async move { open.get(page(url)).await }
    });
    begun.notified().await;
    assert!(matches!(chosen.get(page(&url)).await, Err(Error::Refused { .. })));
    wait.notify_one();
    assert_eq!(task.await.unwrap().unwrap().body, "secret");
}
