//! Each code has its class, its name and its hint.

use std::collections::BTreeSet;

use super::*;

/// Every known code | its class | its name | words of its hint; `-` for none.
const CODES: &str = "
600 | ServiceFailure | - | -
1500 | ServiceFailure | - | -
1642 | ServiceFailure | - | -
1663 | ServiceFailure | - | -
2200 | ServiceFailure | INTERNAL | -
5000 | ServiceFailure | - | -
9499 | Request | BAD_REQUEST | -
10003 | Request | INVALID_PARAM | app id; app secret; Feishu; Lark
10005 | App | APP_UNAUTHORIZED | -
10012 | App | APP_TOKEN_FAILED | -
10013 | App | TENANT_TOKEN_FAILED | -
10014 | App | APP_SECRET_INVALID | app id; app secret; Feishu; Lark
10015 | App | APP_SECRET_WRONG | app id; app secret; Feishu; Lark
10016 | App | TICKET_RESEND_FAILED | -
10101 | ServiceFailure | - | -
10105 | ServiceFailure | - | -
10200 | ServiceFailure | - | -
10500 | ServiceFailure | - | -
11205 | App | NO_BOT | bot; publish a version
11214 | Request | IMAGE_MISSING | -
11221 | Permission | IMAGE_FOREIGN | uploaded
11227 | NotFound | IMAGE_KEY_UNKNOWN | -
11232 | RateLimit | - | -
11233 | RateLimit | - | -
11240 | App | BOT_OFF | bot; publish a version
11247 | RateLimit | - | -
11310 | Request | - | -
18033 | Request | IMAGE_UPLOAD_FAILED | -
18035 | Request | IMAGE_KEY_MISSING | -
18121 | ServiceFailure | - | -
20008 | ServiceFailure | - | -
20050 | ServiceFailure | - | -
20072 | ServiceFailure | - | -
21000 | Permission | - | -
21001 | Permission | - | -
30005 | NotFound | OFFLINE | -
45500 | ServiceFailure | - | -
55001 | ServiceFailure | - | -
65001 | ServiceFailure | - | -
90201 | Request | SHEET_JSON | -
90202 | Request | SHEET_RANGE | present grid; `<sheet id>!H7:H7`
90203 | ServiceFailure | SHEET_FAILED | -
90204 | Request | SHEET_BODY | name; extension
90211 | NotFound | SHEET_ID_WRONG | by its id; not the id
90212 | Request | SHEET_ROW_OR_COLUMN | present grid; add rows
90213 | Permission | SHEET_PERMISSION | right to edit; Add document app; group; members of the space
90214 | NotFound | SPREADSHEET_NOT_FOUND | wiki page
90215 | NotFound | SHEET_NOT_FOUND | by its id; title
90216 | Request | SHEET_NO_CHANGE | -
90217 | DocumentBusy | SHEET_TOO_MANY | one write after another
90218 | Permission | SHEET_LOCKED_CELL | -
90219 | Limit | SHEET_CELL_EXCESS | 13,000; 5,000,000; another sheet
90221 | Limit | SHEET_LARGE_RESPONSE | 10 MB; fewer cells
90222 | Limit | SHEET_LARGE_CELL | -
90226 | Limit | SHEET_EXCESS | -
90227 | Limit | SHEET_LARGE_REQUEST | -
90228 | DocumentBusy | SHEET_IMPORTING | -
90229 | Request | SHEET_URL | -
90235 | DocumentBusy | SHEET_RETRY_LATER | still running
90242 | DocumentBusy | SHEET_LOADING | -
91201 | ServiceFailure | - | -
91402 | NotFound | DOCUMENT_NOT_FOUND | wiki page; other brand; shared with the app
91403 | Permission | DOCUMENT_FORBIDDEN | right to edit; group; members of the space
91404 | Permission | DOCUMENT_LOGIN | -
95001 | ServiceFailure | - | -
95003 | ServiceFailure | - | -
95005 | ServiceFailure | - | -
95010 | ServiceFailure | - | -
95011 | ServiceFailure | - | -
95203 | ServiceFailure | - | -
95204 | ServiceFailure | - | -
95205 | ServiceFailure | - | -
95206 | ServiceFailure | - | -
95207 | ServiceFailure | - | -
95208 | ServiceFailure | - | -
95209 | ServiceFailure | - | -
96001 | ServiceFailure | - | -
96002 | ServiceFailure | - | -
96402 | ServiceFailure | - | -
96403 | ServiceFailure | - | -
105001 | ServiceFailure | - | -
131001 | ServiceFailure | - | -
131002 | Request | WIKI_PARAMETER | -
131004 | Permission | WIKI_USER | -
131005 | NotFound | WIKI_NODE_NOT_FOUND | wiki; link; site
131006 | Permission | WIKI_FORBIDDEN | members of the space; group
131009 | ServiceFailure | - | -
200570 | Request | CARD_IMAGE_KEYS | -
230001 | Request | MESSAGE_PARAM | ext=; receiver; image key
230002 | Permission | BOT_NOT_IN_GROUP | bot to the group
230006 | App | MESSAGE_NO_BOT | bot; publish a version
230011 | NotFound | MESSAGE_RECALLED | -
230013 | Permission | USER_UNAVAILABLE | availability; publish a version
230017 | Permission | MESSAGE_IMAGE_FOREIGN | uploaded; avatar
230018 | Permission | GROUP_SETTINGS | certain members
230019 | NotFound | TOPIC_NOT_FOUND | -
230020 | RateLimit | MESSAGE_RATE_LIMITED | -
230022 | Request | MESSAGE_SENSITIVE | -
230025 | Limit | MESSAGE_TOO_LONG | -
230027 | Permission | MESSAGE_FORBIDDEN | authorise
230028 | Request | MESSAGE_AUDIT | -
230029 | NotFound | USER_RESIGNED | -
230034 | NotFound | RECEIVER_INVALID | its type; open id; organisation
230035 | Permission | MESSAGE_DENIED | muted; blocked; owner
230036 | Permission | TENANT_CRYPT_KEY_DELETED | administrator
230038 | Permission | CROSS_TENANT_CHAT | -
230049 | ServiceFailure | MESSAGE_BEING_SENT | later; same uuid
230050 | Permission | MESSAGE_INVISIBLE | -
230053 | Permission | BOT_STOPPED_BY_USER | only the user; reply
230054 | Request | MESSAGE_TYPE_DENIED | -
230055 | Request | MESSAGE_FILE_TYPE | -
230071 | Request | GROUP_WITHOUT_THREADS | without a thread
230072 | Request | MESSAGE_WITHOUT_THREADS | without a thread
230075 | Permission | SECRET_CHAT | -
230099 | Request | CARD_CONTENT | -
230101 | Permission | MESSAGES_TO_USERS_OFF | -
230111 | Request | MESSAGE_SELF_DESTRUCTS | -
231003 | NotFound | MESSAGE_NOT_FOUND | -
232009 | NotFound | CHAT_DISSOLVED | -
232096 | ServiceFailure | META_WRITING_STOPPED | -
234001 | Request | IM_INVALID_PARAM | file name; extension; download; key
234002 | Permission | IM_UNAUTHORIZED | -
234005 | NotFound | IM_IMAGE_DELETED | again
234006 | Limit | IM_TOO_LARGE | 10 MB
234007 | App | IM_NO_BOT | bot; publish a version
234008 | Permission | IM_FOREIGN | uploaded
234010 | Request | IM_EMPTY | -
234011 | Request | IM_FORMAT | PNG or JPEG
234039 | Limit | IM_RESOLUTION | 12,000; 2,000; 4,096
234041 | Permission | IM_TENANT_KEY_DELETED | administrator
234042 | Permission | IM_TENANT_STORAGE | administrator
1000004 | RateLimit | - | -
1000005 | RateLimit | - | -
1061001 | ServiceFailure | DRIVE_FAILED | -
1061002 | Request | DRIVE_PARAM | token; `extra`
1061003 | NotFound | DRIVE_NOT_FOUND | token; read the cell again
1061004 | Permission | DRIVE_FORBIDDEN | right to download; Add document app
1061005 | Permission | DRIVE_UNAUTHORIZED | -
1061006 | ServiceFailure | DRIVE_TIMEOUT | -
1061007 | NotFound | DRIVE_DELETED | token; read the cell again
1061045 | RateLimit | - | -
1061073 | Permission | DRIVE_SCOPE_MISSING | scope; publish a version
1064510 | Permission | CROSS_TENANT | -
1064511 | Permission | CROSS_BRAND | -
1310213 | Permission | SHEET_V3_PERMISSION | right to edit; group; members of the space
1310214 | NotFound | SHEET_V3_NOT_FOUND | wiki page
1310217 | DocumentBusy | SHEET_V3_TOO_MANY | one write after another
1310235 | DocumentBusy | SHEET_V3_RETRY_LATER | still running
1310242 | DocumentBusy | SHEET_V3_LOADING | -
1310247 | Limit | SHEET_V3_IMAGE_EXCESS | 4,000 different images
1310249 | NotFound | SHEET_V3_DELETED | -
1310251 | Request | SHEET_V3_PARAMETER | -
1315201 | ServiceFailure | - | -
1315203 | ServiceFailure | - | -
1315210 | ServiceFailure | - | -
99991400 | RateLimit | RATE_LIMITED | -
99991401 | Permission | ADDRESS_NOT_ALLOWED | allow-list; proxy
99991403 | Limit | QUOTA_USED_UP | next month
99991543 | App | APP_UNKNOWN | app id; app secret; site
99991661 | CallerToken | TOKEN_MISSING | -
99991662 | App | APP_DISABLED | -
99991663 | TenantToken | TENANT_TOKEN_INVALID | -
99991664 | AppToken | APP_TOKEN_INVALID | -
99991665 | TenantToken | TENANT_CODE_INVALID | -
99991668 | CallerToken | USER_TOKEN_INVALID | log in again
99991669 | CallerToken | REFRESH_TOKEN_INVALID | -
99991671 | CallerToken | TOKEN_FORM | -
99991672 | Permission | SCOPE_MISSING | scopes; publish a version
99991673 | App | APP_UNAVAILABLE | -
99991676 | Permission | TOKEN_PERMISSION | -
99991677 | CallerToken | USER_TOKEN_EXPIRED | -
99991679 | Permission | USER_SCOPE_MISSING | scope; publish a version; log in again
99992351 | NotFound | - | -
99992352 | NotFound | - | -
99992353 | NotFound | - | -
99992354 | NotFound | - | -
99992355 | NotFound | - | -
99992356 | NotFound | - | -
99992360 | NotFound | - | -
99992361 | NotFound | - | -
99992363 | NotFound | - | -
99992364 | NotFound | - | -
99992381 | NotFound | - | -
99992402 | Request | FIELD_VALIDATION | -
";

fn rows() -> impl Iterator<Item = [&'static str; 4]> {
    let rows = CODES.lines().filter(|row| !row.is_empty());
    rows.map(|row| row.split(" | ").collect::<Vec<_>>().try_into().expect(row))
}

#[test]
fn a_code_has_its_class_its_name_and_its_hint() {
    for [code, class, name, words] in rows() {
        let code = Code(code.parse().unwrap());
        assert_eq!(format!("{:?}", code.class()), class, "{code}");
        assert_eq!(code.name(), Some(name).filter(|name| *name != "-"), "{code}");
        match code.hint() {
            None => assert_eq!(words, "-", "{code}"),
            Some(hint) => {
                let is_said = words.split("; ").all(|words| hint.contains(words));
                assert!(is_said && words != "-", "{code}: {hint}");
            }
        }
    }
}

#[test]
fn a_hint_is_one_line_without_rust_identifiers() {
    let codes = (0..1_400_000).chain(99_990_000..100_000_000).map(Code);
    let hints: Vec<_> = codes.filter_map(|code| Some((code, code.hint()?))).collect();
    assert!(hints.len() > 30, "{}", hints.len());
    for (code, hint) in hints {
        assert!((20..=300).contains(&hint.len()), "{code}: {hint}");
        assert!(hint.starts_with(|c: char| c.is_ascii_lowercase()), "{code}: {hint}");
        assert!(!hint.ends_with('.') && !hint.contains("::"), "{code}: {hint}");
        assert!(!hint.contains("  ") && !hint.contains(char::is_control), "{code}: {hint}");
    }
}

#[test]
fn every_other_code_is_unknown() {
    let listed: BTreeSet<i64> = rows().map(|[code, ..]| code.parse().unwrap()).collect();
    for code in (-1..1_400_000).chain(99_990_000..100_000_000) {
        let is_known = Code(code).class() != Class::Unknown;
        assert_eq!(is_known, listed.contains(&code), "{code}");
    }
}
