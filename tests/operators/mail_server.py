"""A mail server that keeps what it is given."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string
from email.policy import default
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage


@dataclass
class Mailbox:
    """Where it listens, and what came."""

    port: int = 0
    refuses: bool = False
    recipients: list[str] = field(default_factory=list)
    messages: list[EmailMessage] = field(default_factory=list)


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """One on this machine, for as long as the block goes on."""
    mailbox = Mailbox()

    class Session(socketserver.StreamRequestHandler):
        """What of RFC 5321 a client needs."""

        def handle(self) -> None:
            self._say("220 mail.example")
            while line := self.rfile.readline().decode().rstrip():
                command = line.upper()
                if command.startswith("RCPT TO:"):
                    mailbox.recipients.append(line.partition("<")[2].partition(">")[0])
                    self._say("550 no such user" if mailbox.refuses else "250 ok")
                elif command == "DATA":
                    self._say("354 go on")
                    text = "".join(iter(lambda: self.rfile.readline().decode(), ".\r\n"))
                    mailbox.messages.append(message_from_string(text, policy=default))
                    self._say("250 kept")
                elif command == "QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 ok")

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        server.daemon_threads = True
        mailbox.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield mailbox
        server.shutdown()
