"""A mail server for tests: aiosmtpd over TLS, with a password. Says its port, then every mail as a line of JSON.

    smtp_sink.py wrapped|starttls CERTIFICATE KEY
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import AuthResult, SMTP


def say(**what):
    print(json.dumps(what), flush=True)


class Sink:
    async def handle_DATA(self, server, session, envelope):
        say(
            mail=envelope.content.decode("utf-8", "replace"),
            sender=envelope.mail_from,
            receivers=envelope.rcpt_tos,
            user=session.auth_data.decode() if session.auth_data else None,
            tls=session.ssl is not None or wrapped,
        )
        return "250 2.0.0 queued as SINK1"


def check(server, session, envelope, mechanism, data):
    good = data.login == b"anna" and data.password == b"s3cret word"
    return AuthResult(success=good, handled=good, auth_data=data.login)


wrapped = sys.argv[1] == "wrapped"
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(sys.argv[2], sys.argv[3])


def session():
    if wrapped:
        # The session's own flag only knows STARTTLS.
        return SMTP(Sink(), auth_required=True, auth_require_tls=False, authenticator=check)
    return SMTP(Sink(), tls_context=context, require_starttls=True, auth_required=True, authenticator=check)


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", 0, ssl=context if wrapped else None)
    say(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
