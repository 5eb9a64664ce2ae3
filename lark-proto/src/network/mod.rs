//! The settings that the blocking and the async client have in common, such as the proxy, certificates and timeouts.

mod proxy;

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use http::HeaderValue;

use crate::api::Quota;
use crate::error::{Invalid, InvalidKind};
use crate::session::{Limits, Phase, Session};
use crate::site::Site;
use crate::values::App;

pub use proxy::Proxy;

/// The default maximum number of idle connections that a client keeps.
pub const MAX_IDLE_CONNECTIONS: usize = 32;

/// The settings of a client, for `Client::builder` of either client crate.
///
/// ```
/// use std::time::Duration;
///
/// use lark_proto::network::{ClientBuilder, Proxy};
/// use lark_proto::session::Phase;
/// use lark_proto::{Invalid, Limits};
///
/// fn settings<C>(
///     builder: ClientBuilder<C>,
///     authority: &[u8],
/// ) -> Result<ClientBuilder<C>, Invalid> {
///     Ok(builder
///         .proxy(Proxy::new("http://proxy.corp.example:3128")?)
///         .roots(authority)
///         .user_agent("Mozilla/5.0 (compatible; pictures/1.0)")
///         .timeout(Phase::Connect, Duration::from_secs(3))
///         .limits(Limits::default().total(Duration::from_secs(60))))
/// }
/// ```
pub struct ClientBuilder<C> {
    settings: Settings,
    client: PhantomData<fn() -> C>,
}

/// A client that can be built from [`Settings`].
pub trait FromSettings: Sized {
    /// The client.
    ///
    /// # Errors
    /// The error of the first setting that is invalid.
    fn from_settings(settings: Settings) -> Result<Self, Invalid>;
}

impl<C: FromSettings> ClientBuilder<C> {
    /// A builder with the default settings.
    #[must_use]
    pub fn new(site: Site, app: App) -> Self {
        let settings = Settings {
            site,
            app,
            proxy: ProxyChoice::Environment,
            roots: Roots::Default,
            user_agent: None,
            timeouts: Vec::new(),
            max_idle_connections: MAX_IDLE_CONNECTIONS,
            reply_limit: None,
            limits: Limits::default(),
            quotas: Vec::new(),
            keep_quotas: None,
        };
        Self { settings, client: PhantomData }
    }

    /// Builds the client.
    ///
    /// # Errors
    /// The error of the first setting that is invalid. An unusable proxy is an error, and the client does
    /// not fall back to a direct connection.
    pub fn build(self) -> Result<C, Invalid> {
        C::from_settings(self.settings)
    }
}

impl<C> ClientBuilder<C> {
    /// Connects through `proxy` instead of the proxy of the environment, to loopback too.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.settings.proxy = ProxyChoice::Given(proxy);
        self
    }

    /// Connects without a proxy, even if the environment names one.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.settings.proxy = ProxyChoice::None;
        self
    }

    /// Trusts the certificates in `pem` instead of the default roots. The last choice of roots counts.
    #[must_use]
    pub fn roots(mut self, pem: &[u8]) -> Self {
        self.settings.roots = Roots::Custom(pem.to_vec());
        self
    }

    /// Trusts the certificates in `pem` and the default roots. The last choice of roots counts, so pass all
    /// certificates at once.
    #[must_use]
    pub fn extra_roots(mut self, pem: &[u8]) -> Self {
        self.settings.roots = Roots::DefaultAndCustom(pem.to_vec());
        self
    }

    /// Trusts the certificates that the operating system trusts. On Linux they are those of its store, or those in the
    /// file that the variable `SSL_CERT_FILE` names. The client crate has to be built with its feature
    /// `platform-verifier`. The last choice of roots counts.
    #[must_use]
    pub fn platform_verifier(mut self) -> Self {
        self.settings.roots = Roots::Platform;
        self
    }

    /// Sends this `User-Agent`, also to an HTTP proxy. Some firewalls admit only browsers, which they recognise by a
    /// text that begins with `Mozilla/5.0`.
    #[must_use]
    pub fn user_agent(mut self, user_agent: &str) -> Self {
        self.settings.user_agent = Some(user_agent.to_owned());
        self
    }

    /// Sets the timeout of a phase of each exchange, instead of that of
    /// [`Timeouts::for_body_len`](crate::session::Timeouts::for_body_len).
    #[must_use]
    pub fn timeout(mut self, phase: Phase, time: Duration) -> Self {
        self.settings.timeouts.push((phase, time));
        self
    }

    /// Keeps at most this many idle connections, instead of [`MAX_IDLE_CONNECTIONS`]. 0 keeps none. A connection that
    /// was idle for more than 15 s is not used again; lark-ureq closes it when the next request begins or ends.
    #[must_use]
    pub fn max_idle_connections(mut self, connections: usize) -> Self {
        self.settings.max_idle_connections = connections;
        self
    }

    /// Reads replies of at most this many bytes, instead of the limit of each endpoint.
    #[must_use]
    pub fn reply_limit(mut self, bytes: u64) -> Self {
        self.settings.reply_limit = Some(bytes);
        self
    }

    /// Sets the limits of each call.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Keeps `quota` on `route` instead of the documented quota. See [`Session::set_quota`].
    #[must_use]
    pub fn quota(mut self, route: &str, quota: Quota) -> Self {
        self.settings.quotas.push((route.to_owned(), quota));
        self
    }

    /// Sets whether the documented quotas are kept. See [`Session::keep_quotas`].
    #[must_use]
    pub fn keep_quotas(mut self, keep: bool) -> Self {
        self.settings.keep_quotas = Some(keep);
        self
    }
}

/// The settings of a [`ClientBuilder`], for the client that is built from them.
#[derive(Clone)]
pub struct Settings {
    site: Site,
    app: App,
    proxy: ProxyChoice,
    roots: Roots,
    user_agent: Option<String>,
    timeouts: Vec<(Phase, Duration)>,
    max_idle_connections: usize,
    reply_limit: Option<u64>,
    limits: Limits,
    quotas: Vec<(String, Quota)>,
    keep_quotas: Option<bool>,
}

/// The certificates of authorities that a client trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// Mozilla's root certificates, from the crate `webpki-roots`.
    #[default]
    Default,
    /// The certificates that the operating system trusts.
    Platform,
    /// Only these certificates, in PEM.
    Custom(Vec<u8>),
    /// The default certificates and these, in PEM.
    DefaultAndCustom(Vec<u8>),
}

#[derive(Clone)]
enum ProxyChoice {
    Environment,
    None,
    Given(Proxy),
}

impl Settings {
    /// The site.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// The session of the client, with its quotas.
    #[must_use]
    pub fn session(&self) -> Session {
        let mut session = Session::new(self.site.clone(), self.app.clone());
        if let Some(keep) = self.keep_quotas {
            session.keep_quotas(keep);
        }
        for (route, quota) in &self.quotas {
            session.set_quota(route, *quota);
        }
        session
    }

    /// The proxy of the caller or of the environment, if there is one. `variable` returns the value of a variable of
    /// the environment.
    ///
    /// # Errors
    /// The errors of [`Proxy::from_env`].
    pub fn proxy(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Proxy>, Invalid> {
        match &self.proxy {
            ProxyChoice::Environment => Proxy::from_env(&self.site, variable),
            ProxyChoice::None => Ok(None),
            ProxyChoice::Given(proxy) => Ok(Some(proxy.clone())),
        }
    }

    /// The certificates that the client trusts.
    #[must_use]
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// The error for certificates that cannot be used, for this `reason`.
    #[must_use]
    pub fn bad_roots(reason: &str) -> Invalid {
        Invalid::new(InvalidKind::BadRoots, reason)
    }

    /// The `User-Agent`, or `default`.
    ///
    /// # Errors
    /// [`InvalidKind::BadUserAgent`] for a text that is empty or has other characters than visible ASCII and spaces.
    pub fn user_agent(&self, default: &'static str) -> Result<HeaderValue, Invalid> {
        match &self.user_agent {
            None => Ok(HeaderValue::from_static(default)),
            Some(text) => HeaderValue::from_str(text)
                .ok()
                .filter(|_| {
                    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
                })
                .ok_or_else(|| Invalid::new(InvalidKind::BadUserAgent, text)),
        }
    }

    /// The timeouts that replace those of [`Timeouts::for_body_len`](crate::session::Timeouts::for_body_len), in the
    /// order in which they were set.
    #[must_use]
    pub fn timeouts(&self) -> &[(Phase, Duration)] {
        &self.timeouts
    }

    /// The maximum number of idle connections that the client keeps.
    #[must_use]
    pub fn max_idle_connections(&self) -> usize {
        self.max_idle_connections
    }

    /// The maximum size of a reply in bytes, if it replaces the limit of each endpoint.
    #[must_use]
    pub fn reply_limit(&self) -> Option<u64> {
        self.reply_limit
    }

    /// The limits of each call.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }
}

impl<C> fmt::Debug for ClientBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("site", &self.settings.site).finish_non_exhaustive()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("site", &self.site).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that keeps its settings.
    struct Kept(Settings);

    impl FromSettings for Kept {
        fn from_settings(settings: Settings) -> Result<Self, Invalid> {
            Ok(Self(settings))
        }
    }

    fn builder() -> ClientBuilder<Kept> {
        ClientBuilder::new(Site::FEISHU, App::None)
    }

    fn proxy(settings: &Settings) -> Option<String> {
        let variable = |name: &str| (name == "HTTPS_PROXY").then(|| "env.example:1".to_owned());
        settings.proxy(variable).unwrap().map(|proxy| proxy.host().to_owned())
    }

    #[test]
    fn the_client_gets_every_setting_that_is_set() {
        let Kept(settings) = builder()
            .proxy(Proxy::new("own.example:1").unwrap())
            .roots(b"pem")
            .user_agent("agent")
            .timeout(Phase::Connect, Duration::from_secs(1))
            .timeout(Phase::RecvBody, Duration::from_secs(2))
            .max_idle_connections(3)
            .reply_limit(4)
            .limits(Limits::one_attempt())
            .build()
            .unwrap();
        assert_eq!(settings.site(), &Site::FEISHU);
        assert_eq!(proxy(&settings).as_deref(), Some("own.example"));
        assert_eq!(settings.roots(), &Roots::Custom(b"pem".to_vec()));
        assert_eq!(settings.user_agent("default").unwrap(), "agent");
        let timeouts = [(Phase::Connect, 1), (Phase::RecvBody, 2)];
        assert_eq!(settings.timeouts(), timeouts.map(|(phase, s)| (phase, Duration::from_secs(s))));
        assert_eq!((settings.max_idle_connections(), settings.reply_limit()), (3, Some(4)));
        assert_eq!(settings.limits(), Limits::one_attempt());
    }

    #[test]
    fn a_setting_that_is_not_set_has_its_default() {
        let Kept(settings) = builder().build().unwrap();
        assert_eq!(proxy(&settings).as_deref(), Some("env.example"));
        assert_eq!((settings.roots(), settings.timeouts()), (&Roots::Default, &[][..]));
        assert_eq!(settings.user_agent("default").unwrap(), "default");
        assert_eq!((settings.max_idle_connections(), settings.reply_limit()), (32, None));
        assert_eq!(settings.limits(), Limits::default());
    }

    #[test]
    fn a_client_without_a_proxy_ignores_the_environment() {
        let Kept(settings) = builder().no_proxy().build().unwrap();
        assert_eq!(proxy(&settings), None);
    }

    #[test]
    fn a_user_agent_that_no_header_can_hold_is_refused() {
        for bad in ["", "a\nb", "a\0"] {
            let Kept(settings) = builder().user_agent(bad).build().unwrap();
            let error = settings.user_agent("default").unwrap_err();
            assert_eq!(error.kind(), InvalidKind::BadUserAgent, "{bad:?}");
        }
    }

    #[test]
    fn the_error_for_certificates_has_the_reason() {
        let error = Settings::bad_roots("no certificate in it");
        assert_eq!(error.kind(), InvalidKind::BadRoots);
        assert!(error.to_string().ends_with(": no certificate in it"), "{error}");
    }

    #[test]
    fn the_last_choice_of_roots_replaces_the_earlier_ones() {
        let roots = |builder: ClientBuilder<Kept>| builder.build().unwrap().0.roots().clone();
        let pem = b"pem".to_vec();
        assert_eq!(roots(builder().roots(b"x").extra_roots(&pem)), Roots::DefaultAndCustom(pem));
        assert_eq!(roots(builder().roots(b"x").platform_verifier()), Roots::Platform);
    }

    #[test]
    fn only_the_site_is_printed() {
        let builder = builder().proxy(Proxy::new("http://u:hidden@a:1").unwrap()).roots(b"hidden");
        assert_eq!(
            format!("{builder:?}"),
            r"ClientBuilder { site: Site(https://open.feishu.cn), .. }"
        );
        let Kept(settings) = builder.build().unwrap();
        assert_eq!(format!("{settings:?}"), r"Settings { site: Site(https://open.feishu.cn), .. }");
    }

    /// Whether the second of two calls at the same time has to wait.
    fn second_waits(builder: ClientBuilder<Kept>) -> bool {
        use std::time::UNIX_EPOCH;

        use crate::endpoints::Raw;
        use crate::session::{Call, Step};
        use crate::token::UserToken;

        let mut session = builder.build().unwrap().0.session();
        let raw = Raw::<()>::new(http::Method::GET, "/x").with_quota(Quota::per_minute(1));
        let token = UserToken::new("u-1").unwrap();
        let mut calls = [(); 2].map(|()| Call::<_, std::io::Error>::with_token(&token, &raw));
        let steps = calls.each_mut().map(|call| call.next(&mut session, UNIX_EPOCH));
        matches!(steps, [Step::Send(_), Step::Wait(_)])
    }

    #[test]
    fn the_session_keeps_the_quotas_that_are_set() {
        assert!(second_waits(builder()));
        assert!(!second_waits(builder().keep_quotas(false)));
        assert!(!second_waits(builder().quota("/x", Quota::per_minute(2))));
        assert!(second_waits(builder().quota("/x", Quota::per_minute(1)).keep_quotas(false)));
    }
}
