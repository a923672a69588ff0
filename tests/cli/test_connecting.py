"""How the commands that are clients find their cluster, and what they say if there is none."""

import socket
import threading

import pytest

from support.command_line import CommandLine


@pytest.fixture
def anywhere(monkeypatch, capfd):
    """The command line of somebody with no cluster at all."""
    return CommandLine("localhost:1", monkeypatch, capfd)


def assert_refused(ran, code, *words):
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1), ran.err
    assert [word for word in words if word not in ran.err] == []


def test_a_broker_that_does_not_listen_is_named_and_how_to_start_one(anywhere):
    ran = anywhere("info", "-b", "127.0.0.1:1")
    assert_refused(ran, 1, "no broker answers at 127.0.0.1:1 (-b)", "Connection refused", "fleuve serve")


def test_a_host_that_does_not_exist_is_named(anywhere):
    assert_refused(anywhere("info", "-b", "nowhere.invalid:9092"), 1, "nowhere.invalid:9092", "Failed to resolve")


def test_the_variable_is_said_where_it_named_the_broker(anywhere):
    assert_refused(anywhere("info"), 1, "localhost:1 (KAFKA_BOOTSTRAP_SERVERS)")


def test_a_server_that_says_nothing_is_given_up(anywhere):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert_refused(anywhere("info", "-b", f"127.0.0.1:{port}"), 1, f"127.0.0.1:{port}", "5 s")


def test_an_http_port_is_recognised(anywhere):
    def answer(server):
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        try:
            ran = anywhere("info", "-b", f"127.0.0.1:{server.getsockname()[1]}")
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
    assert_refused(ran, 1, "HTTP port")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-b", "localhost:x"], ["-b", "no usable port"]),
        (["-b", ""], ["-b", "names no broker"]),
        (["-b", "a:1,,b:2"], ["-b", "names no broker"]),
        (["-X", "nonsense"], ["-X", "want NAME=VALUE"]),
        (["-X", "no.such.setting=1"], ["-X", "no.such.setting"]),
        (["-X", "security.protocol=maybe"], ["-X", "maybe"]),
        (["--client-config", "missing.properties"], ["missing.properties", "cannot be read"]),
        (["-X", "security.protocol=ssl", "-X", "ssl.ca.location=/missing.pem"], ["ssl.ca.location"]),
    ],
    ids=" ".join,
)
def test_wrong_settings_are_one_line_and_exit_code_2(anywhere, words, said):
    assert_refused(anywhere("info", *words), 2, *said)


def test_settings_come_from_a_file_and_flags_come_first(fleuve, tmp_path, cluster):
    file = tmp_path / "client.properties"
    file.write_text(f"# ours\nbootstrap.servers={cluster}\nclient.id=me\n")
    fleuve.ok("info", "--client-config", file)
    file.write_text("bootstrap.servers=localhost:1\n")
    fleuve.ok("info", "--client-config", file, "-b", cluster)
    fleuve.ok("info", "--client-config", file, "-X", f"bootstrap.servers={cluster}")


def test_an_unknown_setting_in_a_file_is_named_by_its_line(fleuve, tmp_path):
    file = tmp_path / "client.properties"
    file.write_text("\nno.such.setting=1\n")
    assert_refused(fleuve("info", "--client-config", file), 2, f"{file}:2", "no.such.setting")


def test_a_login_of_a_java_client_is_understood(fleuve, tmp_path):
    file = tmp_path / "client.properties"
    login = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p\\"w";'
    file.write_text(f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config={login}\n")
    # This broker has no logins: that it says so means that the client tried to log in.
    assert_refused(fleuve("info", "--client-config", file), 1, "SASL", "--client-config")


def test_tls_at_a_port_without_it_is_told_so(fleuve):
    assert_refused(fleuve("info", "-X", "security.protocol=ssl"), 1, "SSL", "check the settings for TLS")
