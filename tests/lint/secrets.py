#!/usr/bin/env python3
"""What somebody sends is compared with a secret in constant time: by mem_equal_ct (crypto/hash.h), and nothing else.

A comparison one of whose operands is named as a secret is a finding, unless SAID knows it and says why its time tells
nobody anything. A reason that nothing needs any more is one as well."""
import re

from _tap import Report, closing, files, line_of, read, without_comments

COMPARES = re.compile(r"\b(memcmp|bcmp|str(?:n|case|ncase)?cmp|str_eq|str_is|str_ieq|str_starts|str_ends|json_equal|uuid_eq)"
                      r"\s*\(")
SECRET = re.compile(r"secret|token|passw|\bmacs?\b|hmac|digest|signature|credential|proof|csrf|totp|recovery|nonce|"
                    r"\bhash\b|challenge|verif", re.I)
WORDS = re.compile(r'"(?:[^"\\\n]|\\.)*"|\b[A-Z][A-Z0-9_]+\b')     # literals and constants

SHOWN = "of a step as its form showed it, not of a secret"
STORED = "what is stored with what is stored: nobody who asks gives either"
NAME = "the name of a credential, which is no secret"
SAID = {
    ("src/account/actor-cache.c", "e->key.b, credential->b, sizeof(e->key.b)"): "whose place in the cache is taken; it was "
                                                                               "looked up before",
    ("src/connection/app-body.c", "p->app_credentials[i].key, key"): NAME,
    ("src/connection/app-store.c", "old, v->credentials"): STORED,
    ("src/connection/app-store.c", 'v->credentials, json_object_get(body, "credentials")'): "with the operator's own file",
    ("src/connection/connection-pages.c",
     'str_from(json_str(f, "credential")), c->provider->credentials[k].key'): NAME,
    ("src/connection/connection-refresh.c", "(*out)->tokens, r->g->tokens"): STORED,
    ("src/connection/connection-refresh.c", "token, json_object_get(all, key)"): STORED,
    ("src/connection/connection-refresh.c", 'token, json_object_get(c->grant.tokens, "accessToken")'): STORED,
    ("src/connection/connection-secrets.c", "v, json_object_get(c->access.credentials, key)"): STORED,
    ("src/connection/connection-store.c", "token, json_object_get(own, key)"): STORED,
    ("src/connection/connection-store.c", "c->access.credentials, now->access.credentials"): STORED,
    ("src/connection/connection-store.c", "v, json_object_get(before->credentials, of_client[i])"): STORED,
    ("src/flow/flow-step-pages.c", "hash, form_hash(p->r->a, s->json)"): SHOWN,
    ("src/flow/flow-step-pages.c", "hash, form_hash(p->r->a, p->d.plan.all[i]->json)"): SHOWN,
    ("src/intake/intake-webhook.c", "h->name, secret[k]"): "the name of a header",
    ("src/lead/lead-duplicate.c", "&a->hash, &b->hash, sizeof(a->hash)"): "of leads, to find their like",
    ("src/lead/lead-duplicate.c", "k->hash, f->keys[i - 1].hash"): "of leads, to find their like",
    ("src/lead/lead-duplicate.c", "f->keys[*i].hash, k->hash"): "of leads, to find their like",
    ("src/provider/access.c", "as, secret.p, *n"): STORED,
    ("src/provider/manifest-guide.c", "field, credentials, sizeof(credentials) - 1"): NAME,
    ("src/provider/paging.c", "next, url_without_secrets(r->k->a, r->k->c, r->url)"): "two addresses of a provider",
    ("src/provider/signature.c", "secret, s->secret_prefix"): "the secret's own form, before anything is compared with it",
    ("src/provider/signature.c", "part, s->signature_key"): "the name of an entry of the header",
    ("src/provider/signature.c", "name, signature_header_name(s, &scope)"): "the name of a header",
    ("src/provider/signature.c",
     "expr_text(p->signatures[i].parameter, scope), name"): "the name of a parameter",
}


def comparisons(path):
    """(line, function, operands) of those with an operand that is named as a secret."""
    text = without_comments(read(path))
    for m in COMPARES.finditer(text):
        operands = " ".join(text[m.end():closing(text, m.end() - 1) - 1].split())
        if SECRET.search(WORDS.sub("", operands)) or (path, operands) in SAID:
            yield line_of(text, m.start()), m.group(1), operands


def main():
    report = Report()
    seen = set()
    findings = []
    for path in files("src", ".c", ".h"):
        if path.startswith("src/sandbox/"):     # it plays others, and holds no secret of anybody's
            continue
        for line, name, operands in comparisons(path):
            seen.add((path, operands))
            if (path, operands) not in SAID:
                findings.append("%s:%d: %s(%s): mem_equal_ct, or say here why not" % (path, line, name, operands))
    report.check("what is secret is compared in constant time", findings)
    report.check("each exception is needed", ["%s: %s" % k for k in sorted(set(SAID) - seen)])
    report.done()


main()
