# SPDX-License-Identifier: GPL-2.0-or-later
"""Shells that complete what somebody has typed behind "ckpt-lease "."""

import os
import pathlib
import pty
import re
import select
import subprocess
import tempfile

# For a machine that does much else: nothing takes a second.
DEADLINE = 120
KILL_LINE = "\x15"


class Terminal:
    """A shell on a terminal of its own. It writes to the descriptor $ANSWERS what it is asked for."""

    def __init__(self, command, environment):
        self.answers, answers = os.pipe()
        self.master, slave = pty.openpty()
        self.unread = b""
        self.seen = b""
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, pass_fds=[answers], start_new_session=True,
            env={**os.environ, **environment, "TERM": "dumb", "ANSWERS": str(answers)})
        os.close(slave)
        os.close(answers)

    def type(self, text):
        os.write(self.master, text.encode())

    def answer(self, end):
        """What stands in front of the line `end`."""
        marker = f"{end}\n".encode()
        while marker not in self.unread:
            ready, _, _ = select.select([self.answers, self.master], [], [], DEADLINE)
            assert ready, f"no answer; on the terminal: {self.seen.decode(errors='replace')}"
            if self.master in ready:
                self.seen += os.read(self.master, 4096)
            if self.answers in ready:
                more = os.read(self.answers, 4096)
                assert more, f"it ended; on the terminal: {self.seen.decode(errors='replace')}"
                self.unread += more
        text, self.unread = self.unread.split(marker, 1)
        return text.decode()

    def end(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.answers)


class Shell:
    pid_shown = "{comm}"  # what stands with a pid

    def __init__(self, completions):
        self.completions = completions

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def own_faults(self):
        """Of what is so in this shell only: what is typed, and what is wrong."""
        return []

    @staticmethod
    def word(offered):
        """Without the option in front, and the slash behind a folder."""
        return re.sub(r"^--[a-z-]*=", "", offered).rstrip("/")


class Bash(Shell):
    pid_shown = ""
    SCRIPT = """
        source "$1"
        compopt() { :; }
        COMP_WORDS=(ckpt-lease "${@:2}")
        COMP_CWORD=$(($# - 1))
        _ckpt_lease
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    # What is typed up to the key, and the arguments that the program is then given.
    LINES = {
        "show --target=F_U": ["show", "--target=F_UNLCK"],
        "edit --remaining=": ["edit", "--remaining=none"],
        "show --color al": ["show", "--color", "always"],
        "show my": ["show", "my job.img"],
        'show "my': ["show", "my job.img"],
        "show my\\ ": ["show", "my job.img"],
        "show su\tdee": ["show", "sub/deep.img"],
        "show --columns +DEVI\t,DEA": ["show", "--columns", "+DEVICE,DEADLINE"],
        "policy --rules=ru": ["policy", "--rules=rules.json"],
        "sche\tlay": ["schema", "layout"],
    }
    RC = """
        source "$COMPLETIONS"
        set +o history
        PROMPT_COMMAND='echo ready >&$ANSWERS'
        ckpt-lease() { printf '%s\\n' "$@" end >&$ANSWERS; }
    """

    def complete(self, typed):
        # As readline parts words.
        words = re.findall(r"=|[^ =]+", typed) + ([""] if typed[-1:] in ("", " ") else [])
        return [(self.word(line), "") for line in self.reply(words)]

    def reply(self, words):
        done = subprocess.run(
            ["bash", "--norc", "--noprofile", "-c", self.SCRIPT, "bash", self.completions / "ckpt-lease", *words],
            check=True, capture_output=True, text=True)
        assert not done.stderr, done.stderr
        found = [line for line in done.stdout.splitlines() if line]
        assert len(found) == len(set(found)), f"offered twice: {words}: {found}"
        return found

    def own_faults(self):
        faults = []
        whole = self.reply(["show", "--target=F_U"])
        if whole != ["--target=F_UNLCK"]:
            faults.append(("show --target=F_U", f"where = parts no words, offered: {whole}"))
        with tempfile.NamedTemporaryFile("w") as rc:
            rc.write(self.RC)
            rc.flush()
            terminal = Terminal(["bash", "--noprofile", "--rcfile", rc.name, "-i"],
                                {"COMPLETIONS": str(self.completions / "ckpt-lease"), "INPUTRC": "/dev/null"})
            for typed, expected in self.LINES.items():
                terminal.answer("ready")
                # A quote that is still open would wait for its end.
                terminal.type(f"ckpt-lease {typed}\t\n")
                given = terminal.answer("end").splitlines()
                if given != expected:
                    faults.append((typed, f"the line became {given}, and not {expected}"))
            terminal.end()
        return faults


class Zsh(Shell):
    pid_shown = "{pid}  {comm}"
    # compadd is what completions offer words with: it tells of them.
    RC = r"""
        fpath=($COMPLETIONS $fpath)
        autoload -Uz compinit
        compinit -u -D
        zstyle ':completion:*' completer _complete
        bindkey -e
        compadd() {
            setopt localoptions extendedglob
            if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
                local -a _hits _shown _before
                local _given _at
                if (( _at = ${@[(I)-d]} )); then
                    _given=${@[_at+1]}
                    if [[ $_given == \(* ]]; then eval "_shown=$_given"; else _shown=("${(@P)_given}"); fi
                fi
                builtin compadd -A _hits -D _shown "$@"
                zparseopts -E -a _before p:
                for ((_at = 1; _at <= $#_hits; ++_at)); do
                    print -r -u $ANSWERS -- "$IPREFIX${_before[2]}${_hits[_at]}"$'\t'"${_shown[_at]}"
                done
            fi
            builtin compadd "$@"
        }
        tell() { compstate[insert]= compstate[list]=; print -u $ANSWERS end; }
        comppostfuncs=()
        complete-and-tell() { comppostfuncs=(tell); _main_complete "$@" }
        zle -C complete-and-tell complete-word complete-and-tell
        bindkey '^I' complete-and-tell
        zle-line-init() { print -u $ANSWERS ready }
        zle -N zle-line-init
    """

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        pathlib.Path(self.folder.name, ".zshrc").write_text(self.RC, encoding="utf-8")
        self.terminal = Terminal(["zsh", "-d", "-i"],
                                 {"ZDOTDIR": self.folder.name, "COMPLETIONS": str(self.completions)})
        self.terminal.answer("ready")
        return self

    def __exit__(self, *error):
        self.terminal.end()
        self.folder.cleanup()

    def complete(self, typed):
        self.terminal.type(f"{KILL_LINE}ckpt-lease {typed}\t")
        lines = self.terminal.answer("end").splitlines()
        found = [(self.word(word).replace("\\ ", " "), shown)
                 for word, _, shown in (line.partition("\t") for line in lines)]
        # Options, where nothing else can follow, are what zsh has for all programs.
        wants_option = typed.split(" ")[-1].startswith("-")
        return [(word, shown) for word, shown in found if wants_option or not word.startswith("-")]


class Fish(Shell):
    def complete(self, typed):
        done = subprocess.run(
            ["fish", "--no-config", "-c", 'source $argv[1]; complete -C "ckpt-lease $argv[2]"',
             self.completions / "ckpt-lease.fish", typed],
            check=False, capture_output=True, text=True)
        assert not done.stderr, done.stderr
        found = [(self.word(word), shown)
                 for word, _, shown in (line.partition("\t") for line in done.stdout.splitlines())]
        # Behind the options that begin with what is typed, fish 4 offers those that have its letters in the middle.
        begun = typed.split(" ")[-1]
        return [one for one in found if begun.startswith("-") and one[0].startswith(begun)] or found


SHELLS = {"bash": Bash, "zsh": Zsh, "fish": Fish}
