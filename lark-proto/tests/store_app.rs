//! A store app's way to its tokens, step by step: the ticket, the app token that its tenants share, and theirs.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use http::{Request, StatusCode};
use lark_proto::fake::{self, FakeLark, Route, TokenKind};
use lark_proto::{
    App, AppTicket, Body, Call, CallError, Code, Failure, Image, ImageKey, Limits, PutImage,
    Session, Site, Step, TenantKey,
};

const ONE: &str = FakeLark::TENANT_KEY;
const OTHER: &str = "0a1b2c3d4e5f6071";

type Put<'e> = Call<'e, PutImage, Infallible>;
type Outcome = Result<ImageKey, CallError<Infallible>>;

/// A session and the fake, on one clock.
struct World {
    session: Session,
    lark: FakeLark,
    now: SystemTime,
    waited: Duration,
}

fn put() -> PutImage {
    PutImage::message(Image::new("GIF89a").unwrap()).unwrap()
}

fn refusal(code: i64) -> fake::Fault {
    fake::Fault::Code { status: StatusCode::BAD_REQUEST, code, msg: "no".into() }
}

fn code(outcome: &Outcome) -> Option<Code> {
    Some(outcome.as_ref().err()?.lark()?.api()?.code)
}

fn lacks_ticket(outcome: &Outcome) -> bool {
    matches!(outcome, Err(error) if matches!(error.kind, Failure::NoTicket))
}

impl World {
    /// Without a ticket, and with two tenants.
    fn new() -> Self {
        let app = App::store(FakeLark::STORE_APP_ID, FakeLark::STORE_APP_SECRET).unwrap();
        let mut lark = FakeLark::new();
        lark.add_tenant(OTHER);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Self { session: Session::new(Site::LARK, app), lark, now, waited: Duration::ZERO }
    }

    /// With the ticket, and the tokens that a call for `ONE` gets.
    fn warm() -> Self {
        let mut world = Self::new();
        world.push_ticket();
        world.call(ONE).unwrap();
        world
    }

    /// The event with the valid ticket arrives.
    fn push_ticket(&mut self) {
        self.session.set_app_ticket(AppTicket::new(self.lark.app_ticket()).unwrap());
    }

    fn start<'e>(&self, tenant: &str, put: &'e PutImage) -> Put<'e> {
        self.session.call_in(TenantKey::new(tenant).unwrap(), put)
    }

    /// The request that the call's next step sends.
    fn sends(&mut self, call: &mut Put<'_>) -> Request<Body> {
        match call.next(&mut self.session, self.now) {
            Step::Send { request, .. } => request,
            step => panic!("{step:?}"),
        }
    }

    fn parks(&mut self, call: &mut Put<'_>) -> bool {
        matches!(call.next(&mut self.session, self.now), Step::Park(_))
    }

    fn answer(&mut self, call: &mut Put<'_>, request: Request<Body>) {
        let reply = self.lark.handle(self.now, request.map(Body::into_bytes));
        call.received(&mut self.session, self.now, reply);
    }

    /// Drives a call that has no other to wait for.
    fn finish(&mut self, call: &mut Put<'_>) -> Outcome {
        for _ in 0..20 {
            match call.next(&mut self.session, self.now) {
                Step::Send { request, .. } => self.answer(call, request),
                Step::Wait(time) => {
                    self.now += time;
                    self.waited += time;
                }
                Step::Park(_) => panic!("there is no other call to wait for"),
                Step::Done(outcome) => return outcome,
            }
        }
        panic!("no end after twenty steps")
    }

    fn call(&mut self, tenant: &str) -> Outcome {
        let put = put();
        let outcome = self.finish(&mut self.start(tenant, &put));
        assert!(self.session.is_idle());
        outcome
    }

    /// How often the app's token, a tenant's, and the ticket were asked for.
    fn asked(&self) -> [usize; 3] {
        [Route::AppAccessToken, Route::StoreTenantAccessToken, Route::AppTicketResend]
            .map(|route| self.lark.count(route))
    }

    /// The tokens that the images came with.
    fn tokens(&self) -> Vec<&str> {
        let seen = self.lark.requests().iter();
        let puts = seen.filter(|seen| seen.route == Some(Route::ImageV4Put));
        puts.map(|seen| seen.token.as_deref().unwrap()).collect()
    }
}

#[test]
fn tenants_share_the_apps_token_and_have_their_own() {
    let mut world = World::new();
    world.push_ticket();
    for tenant in [ONE, OTHER, ONE, OTHER] {
        world.call(tenant).unwrap();
    }
    assert_eq!(world.asked(), [1, 2, 0]);
    let tokens = world.tokens();
    assert_eq!((tokens[0], tokens[1]), (tokens[2], tokens[3]));
    assert_ne!(tokens[0], tokens[1]);
}

#[test]
fn first_calls_of_two_tenants_fetch_one_app_token() {
    let mut world = World::new();
    world.push_ticket();
    let put = put();
    let [mut one, mut other] = [ONE, OTHER].map(|tenant| world.start(tenant, &put));
    let get_app_token = world.sends(&mut one);
    assert!(world.parks(&mut other), "the app's token is on its way");
    world.answer(&mut one, get_app_token);
    let [of_one, of_other] = [world.sends(&mut one), world.sends(&mut other)];
    world.answer(&mut other, of_other);
    world.answer(&mut one, of_one);
    world.finish(&mut one).unwrap();
    world.finish(&mut other).unwrap();
    assert_eq!(world.asked(), [1, 2, 0]);
}

#[test]
fn an_app_token_whose_fetch_is_cancelled_is_fetched_for_the_other_tenant() {
    let mut world = World::new();
    world.push_ticket();
    let put = put();
    let [mut one, mut other] = [ONE, OTHER].map(|tenant| world.start(tenant, &put));
    let _lost = world.sends(&mut one);
    assert!(world.parks(&mut other));
    one.cancel(&mut world.session);
    world.finish(&mut other).unwrap();
    assert!(world.session.is_idle());
}

#[test]
fn a_missing_ticket_is_asked_for_once() {
    let mut world = World::new();
    for tenant in [ONE, ONE, OTHER] {
        let outcome = world.call(tenant);
        assert!(lacks_ticket(&outcome), "{outcome:?}");
        assert_eq!(world.asked(), [0, 0, 1]);
        world.now += Duration::from_secs(3600);
    }
    assert_eq!(world.lark.requests().len(), 1);
    world.push_ticket();
    world.call(ONE).unwrap();
    assert_eq!(world.asked(), [1, 1, 1]);
}

#[test]
fn calls_that_wait_for_one_that_asks_for_the_ticket_end_with_it() {
    let mut world = World::new();
    let put = put();
    let [mut one, mut same, mut other] = [ONE, ONE, OTHER].map(|tenant| world.start(tenant, &put));
    let ask = world.sends(&mut one);
    assert!(world.parks(&mut same) && world.parks(&mut other));
    world.answer(&mut one, ask);
    for call in [&mut one, &mut same, &mut other] {
        assert!(lacks_ticket(&world.finish(call)));
    }
    assert_eq!(world.asked(), [0, 0, 1]);
    assert!(world.session.is_idle());
}

#[test]
fn a_ticket_that_arrives_while_it_is_asked_for_is_used() {
    let mut world = World::new();
    let put = put();
    let mut call = world.start(ONE, &put);
    let ask = world.sends(&mut call);
    world.push_ticket();
    world.answer(&mut call, ask);
    world.finish(&mut call).unwrap();
    assert_eq!(world.asked(), [1, 1, 1]);
}

#[test]
fn a_refused_ticket_is_dropped_and_asked_for_once() {
    let mut world = World::new();
    world.push_ticket();
    world.lark.renew_app_ticket();
    for _ in 0..3 {
        assert!(lacks_ticket(&world.call(ONE)));
        assert_eq!(world.asked(), [1, 0, 1], "the ticket is not tried again");
    }
    world.push_ticket();
    world.call(ONE).unwrap();
    assert_eq!(world.asked(), [2, 1, 1]);
    world.lark.renew_app_ticket();
    world.call(OTHER).unwrap();
    assert_eq!(world.asked(), [2, 2, 1], "the app's token outlives its ticket");
}

#[test]
fn each_refused_ticket_is_asked_for_anew() {
    let mut world = World::new();
    for round in 1..4 {
        world.push_ticket();
        world.lark.renew_app_ticket();
        assert!(lacks_ticket(&world.call(ONE)));
        assert_eq!(world.asked(), [round, 0, round]);
    }
}

#[test]
fn a_newer_ticket_outlives_the_refusal_of_the_old_one() {
    let mut world = World::new();
    world.push_ticket();
    world.lark.renew_app_ticket();
    let put = put();
    let mut call = world.start(ONE, &put);
    let with_the_old = world.sends(&mut call);
    world.push_ticket();
    world.answer(&mut call, with_the_old);
    world.finish(&mut call).unwrap();
    assert_eq!(world.asked(), [2, 1, 0]);
}

#[test]
fn a_refused_app_token_is_fetched_again() {
    let mut world = World::warm();
    world.lark.revoke_tokens(TokenKind::App);
    world.call(OTHER).unwrap();
    assert_eq!(world.asked(), [2, 3, 0]);
    world.call(ONE).unwrap();
    assert_eq!(world.asked(), [2, 3, 0]);
}

#[test]
fn an_app_token_refused_although_fresh_is_not_fetched_for_ever() {
    let mut world = World::warm();
    for _ in 0..20 {
        world.lark.fail_next_on(Route::StoreTenantAccessToken, refusal(99_991_664));
    }
    for _ in 0..5 {
        let outcome = world.call(OTHER);
        assert_eq!(code(&outcome), Some(Code::APP_TOKEN_INVALID));
        assert_eq!(outcome.unwrap_err().route, Route::StoreTenantAccessToken.path());
        assert_eq!(world.asked(), [2, 3, 0], "the very same token came again");
    }
    world.call(ONE).unwrap();
}

#[test]
fn a_call_refused_for_the_app_token_gets_both_tokens_anew() {
    let mut world = World::warm();
    world.lark.fail_next_on(Route::ImageV4Put, refusal(99_991_664));
    world.call(ONE).unwrap();
    assert_eq!(world.asked(), [2, 2, 0]);
}

#[test]
fn a_tenant_that_has_no_such_app_does_not_disturb_the_others() {
    let mut world = World::new();
    world.push_ticket();
    for _ in 0..3 {
        let outcome = world.call("nobody");
        assert_eq!(code(&outcome), Some(Code::TENANT_TOKEN_FAILED));
        assert_eq!(world.asked(), [1, 1, 0], "asked once");
    }
    world.call(ONE).unwrap();
    assert_eq!(world.asked(), [1, 2, 0]);
}

#[test]
fn a_call_has_to_name_a_tenant() {
    let mut world = World::warm();
    let put = put();
    let mut call: Put<'_> = world.session.call(&put);
    let error = world.finish(&mut call).unwrap_err();
    assert!(matches!(error.kind, Failure::NoTenant), "{error:?}");
    assert_eq!(error.route, Route::ImageV4Put.path());
    assert_eq!(world.asked(), [1, 1, 0], "nothing is sent");
    assert!(world.session.is_idle());
}

#[test]
fn in_the_app_tokens_last_half_hour_one_call_renews_it() {
    let mut world = World::warm();
    world.now += Duration::from_secs(6000);
    let put = put();
    let [mut one, mut other] = [ONE, OTHER].map(|tenant| world.start(tenant, &put));
    let renewal = world.sends(&mut one);
    assert_eq!(renewal.uri().path(), Route::AppAccessToken.path());
    world.finish(&mut other).unwrap();
    assert_eq!(world.asked(), [1, 2, 0], "the other tenant goes on with the old one");
    world.answer(&mut one, renewal);
    world.finish(&mut one).unwrap();
    assert_eq!(world.asked(), [2, 3, 0]);
}

#[test]
fn a_renewal_of_the_app_token_that_fails_leaves_the_old_one_in_use() {
    for failure in [refusal(10_014), fake::Fault::EdgeHtml(StatusCode::BAD_GATEWAY)] {
        let mut world = World::warm();
        world.now += Duration::from_secs(6000);
        world.lark.fail_next_on(Route::AppAccessToken, failure);
        world.call(ONE).unwrap();
        assert_eq!(world.asked(), [2, 2, 0], "the tenant's token is renewed with the old one");
        world.call(OTHER).unwrap();
        assert_eq!(world.asked(), [2, 3, 0], "not at once again");
        assert_eq!(world.waited, Duration::ZERO);
    }
}

#[test]
fn a_ticket_refused_in_a_renewal_leaves_the_old_app_token_in_use() {
    let mut world = World::warm();
    world.lark.renew_app_ticket();
    world.now += Duration::from_secs(6000);
    world.call(ONE).unwrap();
    assert_eq!(world.asked(), [2, 2, 1]);
    world.now += Duration::from_secs(61);
    world.call(OTHER).unwrap();
    assert_eq!(world.asked(), [2, 3, 1], "asked for once");
    world.push_ticket();
    world.now += Duration::from_secs(61);
    world.lark.revoke_tokens(TokenKind::Tenant);
    world.call(ONE).unwrap();
    assert_eq!(world.asked()[0], 3, "renewed with the new ticket");
}

#[test]
fn a_single_attempt_is_enough_for_all_three_requests() {
    let mut world = World::new();
    world.push_ticket();
    let put = put();
    let mut call = world.start(ONE, &put).limits(Limits::none());
    world.finish(&mut call).unwrap();
    assert_eq!((world.asked(), call.attempts()), ([1, 1, 0], 1));
}

#[test]
fn a_tenant_without_a_token_does_not_wait_for_a_renewal_that_fails() {
    let mut world = World::warm();
    world.now += Duration::from_secs(6000);
    for _ in 0..9 {
        let failure = fake::Fault::EdgeHtml(StatusCode::BAD_GATEWAY);
        world.lark.fail_next_on(Route::AppAccessToken, failure);
    }
    world.call(OTHER).unwrap();
    assert_eq!((world.asked(), world.waited), ([2, 2, 0], Duration::ZERO));
}

#[test]
fn a_ticket_that_arrives_is_used_although_asking_for_it_failed() {
    let mut world = World::new();
    world.lark.fail_next_on(Route::AppTicketResend, refusal(10_016));
    let outcome = world.call(ONE);
    assert_eq!(code(&outcome), Some(Code::TICKET_RESEND_FAILED));
    world.push_ticket();
    world.call(ONE).unwrap();
}

#[test]
fn what_was_said_about_the_ticket_names_its_route_to_all() {
    let mut world = World::new();
    world.lark.fail_next_on(Route::AppTicketResend, refusal(10_016));
    for _ in 0..2 {
        let error = world.call(ONE).unwrap_err();
        assert_eq!(error.route, Route::AppTicketResend.path());
    }
}

#[test]
fn a_call_for_a_renewal_does_not_park_behind_the_apps_token() {
    // ONE's tenant token is good but due; the app's token is gone and OTHER fetches it.
    let mut world = World::warm();
    world.now += Duration::from_secs(1500);
    world.lark.revoke_tokens(TokenKind::Tenant);
    world.call(ONE).unwrap(); // tenant token of 1500, app token of 0
    world.now += Duration::from_secs(5700); // app token at its end, tenant's in its window
    let put = put();
    let [mut one, mut other] = [ONE, OTHER].map(|tenant| world.start(tenant, &put));
    let _out = world.sends(&mut other);
    let request = world.sends(&mut one);
    assert_eq!(request.uri().path(), Route::ImageV4Put.path());
}
