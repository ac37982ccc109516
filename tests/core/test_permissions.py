"""Who may do what, and whose approval counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import ports
from bot.core.permissions import (
    DEFAULTS,
    Facts,
    Involved,
    Kind,
    Need,
    Review,
    Role,
    State,
    approvals,
    may,
    needs_of,
    role_of,
)
from bot.core.usage import USAGES

MONA = Facts(1, "mona", role=Role.READ, teams={"acme/sre": False}, owners=())
OWNER = replace(MONA, role=Role.WRITE)


def need(word: str, origin: str = "built in") -> Need:
    if word == "codeowners":
        return Need(Kind.CODEOWNERS, "", origin)
    if word.startswith("@"):
        return Need(Kind.USER, word[1:], origin)
    return Need(Kind.TEAM if "/" in word else Kind.ROLE, word, origin)


def needs(*words: str) -> tuple[Need, ...]:
    return tuple(map(need, words))


WRITE = needs("write")


class TestRole:
    """GitHub's ``role_name``, custom roles by their base, deny on unknown."""

    def test_it_is_that_of_the_ports(self) -> None:
        assert Role is ports.Role

    @pytest.mark.parametrize(
        ("role_name", "permission", "base", "role"),
        [
            pytest.param("read", "read", None, Role.READ, id="read"),
            pytest.param("triage", "read", None, Role.TRIAGE, id="triage is read in the old field"),
            pytest.param("write", "write", None, Role.WRITE, id="write"),
            pytest.param("maintain", "write", None, Role.MAINTAIN, id="maintain is write in the old field"),
            pytest.param("admin", "admin", None, Role.ADMIN, id="admin"),
            pytest.param("none", "none", None, Role.NONE, id="none"),
            pytest.param("deployer", "write", None, Role.WRITE, id="custom role by the old field"),
            pytest.param("deployer", "write", "maintain", Role.MAINTAIN, id="custom role by its base"),
            pytest.param("deployer", "read", "triage", Role.TRIAGE, id="custom role on triage"),
            pytest.param("deployer", "read", "custom", Role.READ, id="base that nobody knows"),
            pytest.param("deployer", None, None, None, id="custom role of nothing known"),
            pytest.param("Admin", "read", None, Role.READ, id="custom role with a look-alike name"),
            pytest.param("admin", "read", None, Role.READ, id="contradiction: the lower one"),
            pytest.param("read", "admin", None, Role.READ, id="contradiction the other way"),
            pytest.param("deployer", "read", "admin", Role.READ, id="contradiction with the base"),
            pytest.param(None, "write", None, Role.WRITE, id="an older server"),
            pytest.param(None, None, "admin", None, id="nothing"),
            pytest.param("", "", "", None, id="empty"),
        ],
    )
    def test_answer(
        self, role_name: str | None, permission: str | None, base: str | None, role: Role | None
    ) -> None:
        assert role_of(role_name, permission, base) is role


class TestNeeds:
    """Roles, users, teams ``org/x``, ``codeowners``; per verb and per service."""

    @pytest.mark.parametrize("word", ["triage", "@mona", "acme/sre", "codeowners"])
    def test_as_a_configuration_writes_it(self, word: str) -> None:
        assert str(need(word)) == word
        assert need(word, "f:1") == need(word)

    def test_the_default_is_the_table_of_commands(self) -> None:
        assert {u.verb: needs(u.who) for u in USAGES}.items() <= DEFAULTS.items()

    @pytest.mark.parametrize(
        ("verb", "service", "wanted"),
        [
            pytest.param("promote", "", "acme/sre", id="the repository's"),
            pytest.param("promote", "checkout", "codeowners", id="the service's"),
            pytest.param("promote", "other", "acme/sre", id="another service"),
            pytest.param("rollback", "checkout", "triage", id="the default"),
            pytest.param("hold", "checkout", "maintain", id="the repository's where the service is silent"),
        ],
    )
    def test_the_nearest_counts(self, verb: str, service: str, wanted: str) -> None:
        repository = {"promote": needs("acme/sre"), "hold": needs("maintain")}
        services = {"checkout": {"promote": needs("codeowners")}}

        assert needs_of(verb, service, repository=repository, services=services) == needs(wanted)

    def test_nobody(self) -> None:
        assert needs_of("promote", repository={"promote": ()}) == ()
        assert needs_of("launch") == ()


class TestMay:
    """One function for every door; deny on error or unknown."""

    @pytest.mark.parametrize("least", [Role.READ, Role.TRIAGE, Role.WRITE, Role.MAINTAIN, Role.ADMIN])
    @pytest.mark.parametrize("has", list(Role))
    def test_roles(self, has: Role, least: Role) -> None:
        verdict = may("promote", replace(MONA, role=has), needs(least.name.lower()))

        assert verdict.allowed is (has >= least)
        assert verdict.unknown == ()

    @pytest.mark.parametrize(
        ("who", "words", "allowed"),
        [
            pytest.param(MONA, "@mona", True, id="user"),
            pytest.param(MONA, "@Mona", True, id="logins have no case"),
            pytest.param(MONA, "@mona2", False, id="another user"),
            pytest.param(replace(MONA, teams={"acme/sre": True}), "acme/sre", True, id="team"),
            pytest.param(replace(MONA, teams={"Acme/SRE": True}), "acme/sre", True, id="teams have no case"),
            pytest.param(MONA, "acme/sre", False, id="not in the team"),
            pytest.param(
                replace(MONA, teams={"evil/sre": True, "acme/sre": False}),
                "acme/sre",
                False,
                id="team of another owner",
            ),
            pytest.param(replace(OWNER, owners=("@mona",)), "codeowners", True, id="owner"),
            pytest.param(replace(MONA, owners=("@mona",)), "codeowners", False, id="owner without write"),
            pytest.param(
                replace(OWNER, owners=("@hubot", "@MONA")), "codeowners", True, id="one of the owners"
            ),
            pytest.param(MONA, "codeowners", False, id="owned by nobody"),
            pytest.param(
                replace(OWNER, owners=("@acme/sre",), teams={"acme/sre": True}),
                "codeowners",
                True,
                id="owning team",
            ),
            pytest.param(
                replace(OWNER, owners=("@acme/sre",)), "codeowners", False, id="not in the owning team"
            ),
            pytest.param(replace(MONA, role=Role.ADMIN), "acme/sre", False, id="an admin is no member"),
            pytest.param(
                replace(MONA, role=Role.ADMIN), "acme/sre admin", True, id="one of several is enough"
            ),
            pytest.param(MONA, "", False, id="nobody"),
        ],
    )
    def test_who(self, who: Facts, words: str, allowed: bool) -> None:  # noqa: FBT001 - a case
        verdict = may("promote", who, needs(*words.split()))

        assert (verdict.allowed, verdict.unknown) == (allowed, ())

    @pytest.mark.parametrize(
        ("who", "word", "what"),
        [
            pytest.param(replace(MONA, role=None), "read", "the role", id="role"),
            pytest.param(
                replace(MONA, teams={}), "acme/sre", "membership of `acme/sre`", id="team never looked up"
            ),
            pytest.param(
                replace(MONA, teams={"acme/sre": None}), "acme/sre", "membership of `acme/sre`", id="team"
            ),
            pytest.param(
                replace(MONA, teams={"acme/sre": True, "ACME/sre": False}),
                "acme/sre",
                "membership of `acme/sre`",
                id="two answers",
            ),
            pytest.param(
                replace(OWNER, owners=None), "codeowners", "the code owners of the manifest", id="owners"
            ),
            pytest.param(
                replace(OWNER, owners=("mona@example.org",)),
                "codeowners",
                "the code owners of the manifest",
                id="an address",
            ),
            pytest.param(
                replace(OWNER, owners=("@acme/web",)),
                "codeowners",
                "the code owners of the manifest",
                id="owning team",
            ),
        ],
    )
    def test_what_is_not_known_allows_nothing(self, who: Facts, word: str, what: str) -> None:
        verdict = may("promote", who, needs(word))

        assert (verdict.allowed, verdict.unknown) == (False, (what,))

    def test_what_is_not_known_does_not_matter_where_something_else_allows(self) -> None:
        verdict = may("promote", replace(MONA, teams={}), needs("acme/sre", "read"))

        assert (verdict.allowed, verdict.unknown) == (True, ())

    def test_bots_never(self) -> None:
        admin = Facts(9, "robot", is_bot=True, role=Role.ADMIN, teams={"acme/sre": True}, owners=("@robot",))

        assert not any(
            may(verb, admin, needs("read", "@robot", "acme/sre", "codeowners")).allowed for verb in DEFAULTS
        )

    def test_a_verb_that_nobody_knows_is_nobodys(self) -> None:
        assert not may("launch", replace(MONA, role=Role.ADMIN), needs("read")).allowed

    def test_a_role_that_nobody_knows_allows_nothing(self) -> None:
        assert not may("promote", replace(MONA, role=Role.ADMIN), needs("owner")).allowed

    def test_words(self) -> None:
        wanted = (
            need("maintain", ".github/canary.yaml:7"),
            need("acme/sre", ".github/canary.yaml:7"),
            need("codeowners", ".github/canary.yaml:8"),
        )
        verdict = may("promote", replace(MONA, owners=("@hubot", "@acme/web")), wanted)

        assert (
            verdict.needed == "the role `maintain`, the team `acme/sre` or "
            "to be a code owner of the manifest with the role `write` or more"
        )
        assert verdict.who_can == (
            "people with the role `maintain` or more, members of `acme/sre` or "
            "the code owners of the manifest (`hubot`, `acme/web`)"
        )
        assert verdict.origin == ".github/canary.yaml:7, .github/canary.yaml:8"
        assert verdict.has == "the role `read`"
        assert may("promote", MONA, ()).needed == "nobody"

    ALL = st.lists(
        st.sampled_from(["read", "write", "admin", "@mona", "@x", "acme/sre", "codeowners"]), max_size=4
    )
    WHO = st.builds(
        Facts,
        st.just(1),
        st.just("mona"),
        is_bot=st.booleans(),
        role=st.none() | st.sampled_from(Role),
        teams=st.dictionaries(st.just("acme/sre"), st.none() | st.booleans()),
        owners=st.none()
        | st.lists(st.sampled_from(["@mona", "@x", "@acme/sre", "a@b.c"]), max_size=2).map(tuple),
    )

    @given(WHO, ALL)
    def test_against_a_small_table(self, who: Facts, words: list[str]) -> None:
        member = who.teams.get("acme/sre") is True
        owners = who.owners or ()
        table = {
            "read": (who.role or 0) >= 1,
            "write": (who.role or 0) >= 3,
            "admin": (who.role or 0) >= 5,
            "@mona": True,
            "@x": False,
            "acme/sre": member,
            "codeowners": ("@mona" in owners or ("@acme/sre" in owners and member)) and (who.role or 0) >= 3,
        }
        for verb in DEFAULTS:
            assert may(verb, who, needs(*words)).allowed is (not who.is_bot and any(table[w] for w in words))

    @given(WHO, ALL)
    def test_looking_up_less_never_allows_more(self, who: Facts, words: list[str]) -> None:
        blind = replace(who, role=None, teams={}, owners=None)

        if may("promote", blind, needs(*words)).allowed:
            assert may("promote", who, needs(*words)).allowed


HEAD, OLD = "a" * 40, "b" * 40
PEOPLE = (
    Facts(1, "mona", role=Role.WRITE),
    Facts(2, "hubot", role=Role.ADMIN),
    Facts(3, "reader", role=Role.READ),
    Facts(4, "robot", is_bot=True, role=Role.ADMIN),
    Facts(5, "unlucky", role=None),
)


def approved(by: int, state: State = State.APPROVED, head: str = HEAD, review: int = 0) -> Review:
    return Review(review or by, by, state, head)


class TestApprovals:
    """Four eyes: who asked for the step, promoted it or committed to it is not its approver."""

    @pytest.mark.parametrize(
        ("review", "involved", "why"),
        [
            pytest.param(approved(1), Involved(), "", id="somebody else"),
            pytest.param(approved(1), Involved(asked=frozenset({1})), "asked for", id="asked"),
            pytest.param(approved(1), Involved(promoted=frozenset({1})), "promoted", id="promoted"),
            pytest.param(approved(1), Involved(committed=frozenset({1})), "committed", id="committed"),
            pytest.param(
                approved(1), Involved(unknown=("Eve",)), "`Eve`", id="committed by nobody knows whom"
            ),
            pytest.param(
                approved(1, head=OLD),
                Involved(),
                "is for `bbbbbbb`, and the head is `aaaaaaa` now",
                id="stale",
            ),
            pytest.param(approved(4), Involved(), "a bot's", id="bot"),
            pytest.param(approved(3), Involved(), "needs the role `write`", id="role too low"),
            pytest.param(approved(5), Involved(), "needs the role `write`", id="role not known"),
            pytest.param(approved(6), Involved(), "could not be looked up", id="person not known"),
        ],
    )
    def test_one(self, review: Review, involved: Involved, why: str) -> None:
        found = approvals([review], PEOPLE, head=HEAD, involved=involved, needs=WRITE)

        assert found.suffice is (not why)
        assert found.counted == (() if why else ("mona",))
        assert [bool(why) and why in said for _, said in found.passed_over] == ([True] if why else [])

    @pytest.mark.parametrize(
        ("reviews", "counted", "against"),
        [
            pytest.param([approved(1), approved(1, State.DISMISSED, review=9)], (), (), id="dismissed"),
            pytest.param(
                [approved(1), approved(1, State.COMMENTED, review=9)], ("mona",), (), id="a comment after"
            ),
            pytest.param([approved(1, State.PENDING)], (), (), id="not submitted"),
            pytest.param(
                [approved(1), approved(1, State.CHANGES_REQUESTED, review=9)],
                (),
                ("mona",),
                id="changed their mind",
            ),
            pytest.param(
                [approved(1, review=9), approved(1, State.CHANGES_REQUESTED, review=2)],
                ("mona",),
                (),
                id="order of ids",
            ),
            pytest.param(
                [approved(1), approved(2, State.CHANGES_REQUESTED)],
                ("mona",),
                ("hubot",),
                id="another is against",
            ),
            pytest.param([approved(3, State.CHANGES_REQUESTED)], (), (), id="a reader's word stops nothing"),
            pytest.param([approved(1, head=OLD), approved(1, review=9)], ("mona",), (), id="approved again"),
            pytest.param([approved(1), approved(1, head=OLD, review=9)], (), (), id="the last one is stale"),
        ],
    )
    def test_the_last_review_counts(
        self, reviews: list[Review], counted: tuple[str, ...], against: tuple[str, ...]
    ) -> None:
        found = approvals(reviews, PEOPLE, head=HEAD, involved=Involved(), needs=WRITE)

        assert (found.counted, found.against) == (counted, against)
        assert found.suffice is (bool(counted) and not against)

    def test_whose_would(self) -> None:
        found = approvals(
            [approved(1)], PEOPLE, head=HEAD, involved=Involved(asked=frozenset({1})), needs=WRITE
        )

        assert (found.would, found.missing) == (("hubot",), 1)

    def test_two_are_wanted(self) -> None:
        one = approvals([approved(1)], PEOPLE, head=HEAD, involved=Involved(), needs=WRITE, wanted=2)
        two = approvals(
            [approved(1), approved(2)], PEOPLE, head=HEAD, involved=Involved(), needs=WRITE, wanted=2
        )

        assert (one.missing, one.would, one.suffice) == (1, ("hubot",), False)
        assert (two.missing, two.would, two.suffice) == (0, (), True)

    def test_none_is_wanted(self) -> None:
        assert approvals([], PEOPLE, head=HEAD, involved=Involved(), needs=WRITE, wanted=0).suffice

    IDS = st.frozensets(st.integers(1, 6), max_size=3)
    REVIEWS = st.lists(
        st.builds(
            Review,
            st.integers(1, 50),
            st.integers(1, 6),
            st.sampled_from(State),
            st.sampled_from([HEAD, OLD]),
        ),
        max_size=8,
        unique_by=lambda r: r.id,
    )

    @given(REVIEWS, st.builds(Involved, IDS, IDS, IDS))
    def test_nobody_with_a_hand_in_it_counts(self, reviews: list[Review], involved: Involved) -> None:
        found = approvals(reviews, PEOPLE, head=HEAD, involved=involved, needs=WRITE)

        names = {p.login: p.id for p in PEOPLE}
        hands = involved.asked | involved.promoted | involved.committed
        for login in (*found.counted, *found.would):
            assert names[login] in {1, 2} - hands
        for login in found.counted:
            assert any(r.by == names[login] and r.state is State.APPROVED and r.head == HEAD for r in reviews)

    @given(REVIEWS)
    def test_the_order_of_arrival_does_not_matter(self, reviews: list[Review]) -> None:
        turned = list(reversed(reviews))
        one, other = (
            approvals(r, PEOPLE, head=HEAD, involved=Involved(), needs=WRITE) for r in (reviews, turned)
        )

        assert (one.suffice, sorted(one.counted)) == (other.suffice, sorted(other.counted))
