from __future__ import annotations

import pytest

from device_bench.errors import BenchError
from device_bench.remote.address import AdbAddress, SshAddress, parse_address
from device_bench.remote.transport import transport_for


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ssh://scanner", SshAddress("scanner")),
        ("ssh://me@10.0.0.7", SshAddress("10.0.0.7", "me")),
        ("ssh://me@shop.example@gate:2222", SshAddress("gate", "me@shop.example", 2222)),
        ("ssh://[fe80::1%eth0]:22", SshAddress("fe80::1%eth0", None, 22)),
        ("adb://emulator-5554", AdbAddress("emulator-5554")),
        ("adb://192.168.1.5:5555", AdbAddress("192.168.1.5:5555")),
    ],
)
def test_addresses(text: str, address: object) -> None:
    parsed = parse_address(text)
    assert parsed == address
    assert str(parsed) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "scanner", "ssh://", "ssh://-oProxyCommand=touch x", "ssh://-oProxyCommand=x",
        "ssh://-l@host", "ssh://me@-host", "ssh://a b", "ssh://host;reboot", "ssh://$(x)",
        "ssh://host/folder", "ssh://host:", "ssh://host:0", "ssh://host:65536", "ssh://host\n",
        "ssh://[-x]", "adb://", "adb://-e", "adb://a b", "http://host",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BenchError, match=r"address|port"):
        parse_address(text)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(BenchError, match="ssh-copy-id") as caught:
        parse_address("ssh://me:hunter2@host")
    assert "hunter2" not in str(caught.value)


def test_what_the_user_sets_for_ssh_wins_but_for_questions() -> None:
    transport = transport_for(parse_address("ssh://me@host:2222"), ["ConnectTimeout=3"])
    argv = transport.argv("true")
    assert argv[-3:] == ["--", "host", "true"]
    assert argv.index("BatchMode=yes") < argv.index("ConnectTimeout=3")
    assert argv.index("ConnectTimeout=3") < argv.index("ConnectTimeout=15")
    assert argv[argv.index("-p") + 1] == "2222"
    assert argv[argv.index("-l") + 1] == "me"


@pytest.mark.parametrize("option", ["-oX", "Key", "=v", "A b=c", "Key=a\nb"])
def test_an_ssh_option_is_a_pair(option: str) -> None:
    with pytest.raises(BenchError, match="KEY=VALUE"):
        transport_for(SshAddress("host"), [option])


def test_an_ssh_option_is_not_for_adb() -> None:
    with pytest.raises(BenchError, match="not reached by ssh"):
        transport_for(AdbAddress("x"), ["Port=1"])
