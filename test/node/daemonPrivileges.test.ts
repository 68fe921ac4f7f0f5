/** Becoming somebody else: whose names and numbers there are, and real processes that give up being root. */
import * as childProcess from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { findGroup, findUser } from "../../src/node/NodeAccounts.ts"
import * as NodePrivileges from "../../src/node/NodePrivileges.ts"
import * as Child from "../support/child.ts"
import { which } from "../support/peers.ts"

const script = path.join(import.meta.dirname, "daemonPrivilegesChild.ts")
const isRoot = process.getuid?.() === 0
const isLinux = process.platform === "linux"

/** Somebody of the system who is not root, and whose group has his number. */
const entry = fs
  .readFileSync("/etc/passwd", "utf8")
  .split("\n")
  .map((line) => line.split(":"))
  .find(([name, , uid, gid]) => name !== "root" && uid === gid && uid !== "0")
const [name = "", , idText = ""] = entry ?? []
const id = Number(idText)
/** A number that nobody has. */
const free = 54_321

const temporary = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "spindle-privileges-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
)

interface Told {
  readonly uid?: string
  readonly gid?: string
  readonly groups?: string
  readonly mayRead?: boolean
  readonly canBeRoot?: boolean
  readonly failed?: string
  readonly message?: string
}

const become = (
  asked: NodePrivileges.Asked,
  options: object = {},
  [command, ...before]: ReadonlyArray<string> = [process.execPath]
) =>
  Effect.map(
    Child.run(command!, [...before, script, JSON.stringify({ asked, ...options })]),
    ({ stderr, stdout }): Told => {
      assert.strictEqual(stderr, "")
      return JSON.parse(stdout)
    }
  )

describe("accounts", () => {
  it.effect("are found by name and by number", () =>
    Effect.gen(function* () {
      for (const asked of [name, id, String(id)]) {
        assert.deepStrictEqual(yield* findUser(asked), { name, uid: id, gid: id })
      }
      assert.deepStrictEqual(yield* findGroup(id), yield* findGroup((yield* findGroup(id)).name!))
      assert.strictEqual((yield* findUser("root")).uid, 0)
    })
  )

  it.live("need not be anybody's when they are numbers", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findUser(free), { name: undefined, uid: free, gid: undefined })
      assert.deepStrictEqual(yield* findGroup(String(free)), { name: undefined, gid: free })
    })
  )

  it.live("that do not exist are told, with what may have been meant", () =>
    Effect.gen(function* () {
      const messageOf = <A>(found: Effect.Effect<A, NodePrivileges.UnknownAccount>) =>
        Effect.map(Effect.flip(found), ({ message }) => message)
      assert.strictEqual(
        yield* messageOf(findUser("rooot")),
        'there is no user "rooot"; did you mean "root"?'
      )
      assert.strictEqual(
        yield* messageOf(findGroup("rooot")),
        'there is no group "rooot"; did you mean "root"?'
      )
      assert.strictEqual(yield* messageOf(findUser("nobody-at-all-1")), 'there is no user "nobody-at-all-1"')
      for (const asked of ["", "-1", "-x", "1.5", "a:b", "a\nb", "4294967295", "99999999999"]) {
        assert.match(yield* messageOf(findUser(asked)), /^there is no user "/)
      }
      for (const asked of [-1, 1.5, NaN, 4_294_967_295]) {
        assert.match(yield* messageOf(findGroup(asked)), /^there is no group "/)
      }
    })
  )

  it.effect("give whom to become", () =>
    Effect.gen(function* () {
      const { resolve } = NodePrivileges
      assert.isUndefined(yield* resolve({}))
      assert.deepStrictEqual(yield* resolve({ user: name }), { uid: id, gid: id, name })
      assert.deepStrictEqual(yield* resolve({ user: id, group: 0 }), { uid: id, gid: 0, name })
      assert.deepStrictEqual(yield* resolve({ group: 0 }), { uid: undefined, gid: 0, name: undefined })
      assert.deepStrictEqual(yield* resolve({ user: free, group: free }), {
        uid: free,
        gid: free,
        name: undefined
      })
    })
  )

  it.live("without a group leave none to become", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(NodePrivileges.resolve({ user: free }))
      assert.strictEqual(error.reason._tag, "InvalidIdentity")
      assert.match(error.message, /54321 has no entry in the system, and so no group/)
    })
  )
})

describe.skipIf(!isRoot || !isLinux || entry === undefined)(
  `dropping privileges${isRoot && isLinux ? "" : " (needs root, on Linux)"}`,
  () => {
    const all = (number: number) => `${number} ${number} ${number} ${number}`

    it.live("for good, in every thread", () =>
      Effect.gen(function* () {
        const file = path.join(yield* temporary, "secret")
        fs.writeFileSync(file, "x", { mode: 0o600 })
        const told = yield* become({ user: name }, { file })
        assert.deepStrictEqual(told, {
          uid: all(id),
          gid: all(id),
          groups: childProcess
            .execFileSync("id", ["-G", name], { encoding: "utf8" })
            .trim()
            .split(" ")
            .toSorted((a, b) => Number(a) - Number(b))
            .join(" "),
          mayRead: false,
          canBeRoot: false
        })
      }).pipe(Effect.scoped)
    )

    it.live("to numbers that nobody has, with no other group", () =>
      Effect.gen(function* () {
        const told = yield* become({ user: free, group: free + 1 })
        assert.deepStrictEqual(told, {
          uid: all(free),
          gid: all(free + 1),
          groups: String(free + 1),
          canBeRoot: false
        })
      })
    )

    it.live("of the group only", () =>
      Effect.gen(function* () {
        const told = yield* become({ group: free })
        assert.deepStrictEqual(told, { uid: all(0), gid: all(free), groups: String(free), canBeRoot: true })
      })
    )

    it.live("of the effective user only: it can be root again", () =>
      Effect.gen(function* () {
        const told = yield* become({ user: name }, { effectiveOnly: true })
        assert.strictEqual(told.uid, `0 ${id} 0 ${id}`)
        assert.strictEqual(told.gid, `0 ${id} 0 ${id}`)
        assert.isTrue(told.canBeRoot)
      })
    )

    it.live("is the main thread's business", () =>
      Effect.gen(function* () {
        const { stdout } = yield* Child.run(process.execPath, [
          script,
          JSON.stringify({ asked: { user: name } }),
          "thread"
        ])
        assert.deepStrictEqual(JSON.parse(stdout), {
          failed: "UnsupportedHere",
          message: "only the main thread can change whose the process is"
        })
      })
    )

    describe.skipIf(which("setpriv") === undefined)("of who has none (needs setpriv)", () => {
      const as = (uid: number, ...more: ReadonlyArray<string>) => [
        "setpriv",
        `--reuid=${uid}`,
        `--regid=${uid}`,
        "--clear-groups",
        ...more,
        process.execPath
      ]

      it.live("is refused", () =>
        Effect.gen(function* () {
          const told = yield* become({ user: name }, {}, as(free))
          assert.strictEqual(told.failed, "NotPrivileged")
          assert.match(
            told.message!,
            /^only root can become another user or group, and this process is user 54321/
          )
        })
      )

      it.live("is nothing to do for who is that already", () =>
        Effect.gen(function* () {
          const told = yield* become({ user: free, group: free }, {}, as(free))
          assert.deepStrictEqual(told, { uid: all(free), gid: all(free), groups: "", canBeRoot: false })
        })
      )

      it.live("is told of a root without the right to", () =>
        Effect.gen(function* () {
          const told = yield* become(
            { user: name },
            {},
            as(0, "--bounding-set=-setuid,-setgid", "--inh-caps=-all")
          )
          assert.strictEqual(told.failed, "NotPrivileged")
          assert.match(told.message!, /CAP_SETUID, CAP_SETGID/)
        })
      )

      it.live("is found out not to last where the right to be root stays", () =>
        Effect.gen(function* () {
          const caps = "+setuid,+setgid"
          const told = yield* become(
            { user: name },
            {},
            as(free, `--inh-caps=${caps}`, `--ambient-caps=${caps}`)
          )
          // Who was not root does not lose his capabilities.
          assert.strictEqual(told.failed, "NotDropped")
          assert.match(told.message!, /it can become root again/)
        })
      )
    })
  }
)

describe("the umask", () => {
  it.effect("is octal", () =>
    Effect.gen(function* () {
      for (const [text, mask] of [
        ["0077", 0o77],
        ["22", 0o22],
        ["0o027", 0o27],
        ["0", 0],
        ["777", 0o777]
      ] as const) {
        assert.strictEqual(yield* NodePrivileges.parseUmask(text), mask)
      }
      for (const text of ["", "8", "1000", "0x7", "-1", "u=rwx", "00077"]) {
        assert.match(
          (yield* Effect.flip(NodePrivileges.parseUmask(text))).message,
          /octal number from 0 to 0777, not "/
        )
      }
    })
  )
})

describe("chroot", () => {
  it.effect("is refused, with what to do instead", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(NodePrivileges.chroot("/srv/jail"))
      assert.strictEqual(error.reason._tag, "UnsupportedHere")
      assert.match(error.message, /"\/srv\/jail".*RootDirectory=.*chroot --userspec/s)
    })
  )
})
