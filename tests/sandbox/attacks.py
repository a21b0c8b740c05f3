"""What hostile code tries. Each function is sent to a kernel, and says what came of it.

It returns something true if it got through; what is refused raises OSError, or returns nothing.
``facts`` tells it where the host's things are: the attacker is assumed to know.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
ATTACKS = {}


def attack(function):
    ATTACKS[function.__name__] = function
    return function


def call(number, *arguments):
    """Make a system call by number, as native code would."""
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


# --- files ---


@attack
def read_file(facts):
    return "canary" in Path(facts["canary"]).read_text()


@attack
def read_file_natively(facts):
    return call(
        {"x86_64": 257, "aarch64": 56}[os.uname().machine], -100, facts["canary"].encode(), 0
    )


@attack
def list_directory(facts):
    return os.listdir(facts["outside"])


@attack
def write_file(facts):
    return Path(facts["outside"], "new.txt").write_text("x")


@attack
def empty_file(facts):
    os.truncate(facts["victim"], 0)
    return True


@attack
def delete_file(facts):
    os.unlink(facts["deletable"])
    return True


@attack
def read_by_hard_link(facts):
    os.link(facts["canary"], "hard")
    return "canary" in Path("hard").read_text()


@attack
def read_by_symbolic_link(facts):
    os.symlink(facts["canary"], "soft")
    return "canary" in Path("soft").read_text()


@attack
def see_that_file_exists(facts):
    return os.stat(facts["canary"]).st_size


@attack
def change_mode_of_file(facts):
    os.chmod(facts["victim"], 0o604)
    return True


@attack
def make_setuid_program(facts):
    Path("program").write_text("#!/bin/sh\n")
    os.chmod("program", 0o4755)
    return os.stat("program").st_mode & 0o4000


@attack
def use_shared_memory_files(facts):
    Path("/dev/shm", f"pcm-{os.getpid()}").write_text("x")
    Path("/dev/shm", f"pcm-{os.getpid()}").unlink()
    return True


# --- other processes ---


@attack
def read_host_environment(facts):
    return b"PCM_TEST_CANARY" in Path(f"/proc/{facts['host']}/environ").read_bytes()


@attack
def see_host_processes(facts):
    return Path(f"/proc/{facts['host']}/cmdline").read_bytes()


@attack
def read_host_memory(facts):
    return os.open(f"/proc/{facts['host']}/mem", os.O_RDONLY)


@attack
def trace_process(facts):
    result = libc.ptrace(16, facts["bystander"], 0, 0)
    if result == 0:
        os.waitpid(facts["bystander"], 0x40000000)
        libc.ptrace(17, facts["bystander"], 0, 0)
    return result == 0


@attack
def signal_process(facts):
    os.kill(facts["bystander"], signal.SIGCONT)
    return True


@attack
def slow_process_down(facts):
    os.setpriority(os.PRIO_PROCESS, facts["bystander"], 7)
    return True


@attack
def gain_privileges(facts):
    status = Path("/proc/self/status").read_text()
    return "NoNewPrivs:\t0" in status


@attack
def enter_namespaces(facts):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if libc.unshare(0x10000000) == 0 else 1)
    return os.waitpid(pid, 0)[1] == 0


@attack
def dump_core(facts):
    import resource

    return resource.getrlimit(resource.RLIMIT_CORE)[1] != 0


# --- other sessions ---


@attack
def read_connection_file_of_other_session(facts):
    return "key" in Path(facts["other"], "kernel.json").read_text()


@attack
def connect_to_other_session(facts):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(facts["other_socket"])
        return True


@attack
def use_memory_shared_by_number(facts):
    number = libc.shmget(0x50434D, 4096, 0o1600)
    if number < 0:
        return False
    libc.shmctl(number, 0, 0)
    return True


# --- network ---


@attack
def connect_to_loopback(facts):
    with socket.create_connection(("127.0.0.1", facts["port"]), timeout=5):
        return True


@attack
def connect_to_address_of_machine(facts):
    with socket.create_connection((facts["address"], facts["port"]), timeout=5):
        return True


@attack
def send_datagram(facts):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"x", ("127.0.0.1", facts["port"]))


@attack
def connect_to_service_socket(facts):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(facts["service"])
        return True


@attack
def connect_to_abstract_socket(facts):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + facts["abstract"])
        return True


# --- resources ---


@attack
def use_much_memory(facts):
    return len(bytearray(facts["memory"] * 2))


@attack
def use_much_memory_in_many_processes(facts):
    share = facts["memory"] * 2 // 4
    code = f"import time; b = b'x' * {share}; print(1, flush=True); time.sleep(20)"
    some = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        for _ in range(4)
    ]
    try:
        return all(each.stdout.readline() for each in some)
    finally:
        for each in some:
            each.kill()
            each.wait()
            each.stdout.close()


@attack
def start_many_processes(facts):
    some = []
    try:
        while len(some) < facts["processes"] * 2:
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
                os._exit(0)
            some.append(pid)
        return True
    finally:
        for pid in some:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@attack
def open_many_files(facts):
    some = []
    try:
        while len(some) < facts["open_files"] * 2:
            some.append(os.open("/dev/null", os.O_RDONLY))
        return True
    finally:
        for fd in some:
            os.close(fd)


@attack
def write_large_file(facts):
    with open("large", "wb") as file:
        file.seek(facts["file_size"] * 2)
        file.write(b"x")
    os.unlink("large")
    return True


@attack
def write_many_files(facts):
    for n in range(3):
        with open(f"many{n}", "wb") as file:
            file.seek(facts["file_size"] - 1)
            file.write(b"x")
    for n in range(3):
        os.unlink(f"many{n}")
    return True


@attack
def burn_processor_time(facts):
    code = f"import time\nwhile time.process_time() < {facts['cpu_seconds'] + 1}: pass"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- what stays possible ---


@attack
def run_program_from_own_directory(facts):
    Path("own.sh").write_text("#!/bin/sh\necho ran\n")
    os.chmod("own.sh", 0o700)
    return subprocess.run(["./own.sh"], capture_output=True, check=True).stdout == b"ran\n"


@attack
def load_shared_object_from_temp(facts):
    import _ctypes
    import shutil
    import tempfile

    copy = shutil.copy(_ctypes.__file__, tempfile.gettempdir())
    return ctypes.CDLL(copy)._handle


def run_attacks(facts, names):
    """Return what came of each: ``through``, or why not."""
    outcomes = {}
    for name in names:
        try:
            outcomes[name] = "through" if ATTACKS[name](facts) else "refused"
        except (OSError, MemoryError) as error:
            outcomes[name] = f"refused: {error!r}"
    return outcomes
