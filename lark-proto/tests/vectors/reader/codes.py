"""The service's codes: their classes, and what to do after each."""

CLASSES = {}

# The codes after which the vendor's list of errors advises to send the request again, and those for which a new token
# is fetched. After all other codes, the same request would fail again.
AGAIN = {
    600, 1500, 1642, 1663, 2200, 5000, 10101, 10105, 10200, 10500, 18121, 20008, 20050, 20072, 45500, 55001, 65001,
    90203, 90217, 90228, 90235, 90242, 91201, 95001, 95003, 95005, 95010, 95011, *range(95203, 95210), 96001, 96002,
    96402, 96403, 105001, 11232, 11233, 11247, 1000004, 1000005, 99991400, 230020, 230049, 232096, 131001, 131009,
    1061001, 1061006, 1061045, 1310217, 1310235, 1310242, 1315201, 1315203, 1315210,
}
RENEW = {99991663, 99991664, 99991665}

ADVICE = {
    "service_failure": "again",
    "rate_limit": "again",
    "document_busy": "again",
    "tenant_token": "renew_token",
    "app_token": "renew_token",
    "caller_token": "give_up",
    "app": "give_up",
    "permission": "give_up",
    "not_found": "give_up",
    "request": "give_up",
    "limit": "give_up",
}


def load(cases):
    CLASSES.update({case["code"]: case["class"] for case in cases})


def class_of(code):
    return CLASSES.get(code, "unknown")


def advice_of_class(name):
    return ADVICE[name]


def documented_advice(code):
    return "again" if code in AGAIN else "renew_token" if code in RENEW else "give_up"


def advice_by_status(status):
    return "again" if status in (408, 429) or 500 <= status < 600 else "give_up"


def has_shape(case):
    texts = [case["constant"], case["hint"]]
    lines = all(text is None or text and "\n" not in text for text in texts)
    return lines and set(case) == {"code", "class", "constant", "hint"}
