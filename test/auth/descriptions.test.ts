/** `--auth memory:alice=secret`: text to checkers, and plugins that add kinds of it. */
import { assert, describe, it } from "@effect/vitest"
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as CheckerSchemePlugin from "../../src/app/CheckerSchemePlugin.ts"
import * as Checker from "../../src/auth/Checker.ts"
import * as CheckerDescription from "../../src/auth/CheckerDescription.ts"
import type { CheckerScheme } from "../../src/auth/CheckerScheme.ts"
import { anonymous, type UsernamePassword, usernamePassword } from "../../src/auth/Credentials.ts"
import { installed, withRegistry } from "../plugin/greetings.ts"
import { pure } from "./sasl.ts"

const files = FileSystem.layerNoop({
  stat: (path) =>
    path === "/etc/app/passwords"
      ? Effect.succeed({ size: ByteSize.bytes(20), mtime: Option.none(), ino: Option.none() } as never)
      : Effect.fail(new Error("ENOENT") as never),
  readFileString: () => Effect.succeed("1,alice,secret\n")
})

const login = (description: string, name: string, password: string, options?: CheckerDescription.Options) =>
  Effect.gen(function* () {
    const checker = yield* CheckerDescription.make(description, options)
    const result = yield* Effect.result(checker.check(usernamePassword(name, password)))
    return Result.isSuccess(result) ? result.success : result.failure.reason._tag
  }).pipe(Effect.provide([pure, files]))

const wrong = (description: string) =>
  Effect.map(
    Effect.flip(Effect.provide(CheckerDescription.make(description), [pure, files])),
    (error) => error.message
  )

const stamp: CheckerScheme = {
  name: "stamp",
  doc: "whoever has a stamp",
  arguments: [{ form: "COLOUR", doc: "of the stamp" }],
  kinds: ["UsernamePassword"],
  make: () =>
    Effect.succeed(
      Checker.widen(Checker.make<UsernamePassword>(["UsernamePassword"], () => Effect.succeed("stamped")))
    )
}

describe("CheckerDescription", () => {
  it.effect("memory, anonymous", () =>
    Effect.gen(function* () {
      const two = "memory:alice=secret:bob=a\\:b\\=c"
      assert.strictEqual(yield* login(two, "alice", "secret"), "alice")
      assert.strictEqual(yield* login(two, "bob", "a:b=c"), "bob")
      assert.strictEqual(yield* login(two, "bob", "a"), "Unauthorized")
      assert.strictEqual(yield* login("memory:__proto__=x", "__proto__", "x"), "__proto__")
      assert.strictEqual(yield* login("memory:alice=x", "__proto__", "x"), "Unauthorized")
      const checker = yield* Effect.provide(CheckerDescription.make("anonymous"), [pure, files])
      assert.deepStrictEqual(checker.kinds, ["Anonymous"])
      assert.strictEqual(typeof (yield* checker.check(anonymous())), "symbol")
    })
  )

  it.effect("file, with its options", () =>
    Effect.gen(function* () {
      const file = "file:/etc/app/passwords:delimiter=,:user=1:password=2:case=ignore"
      assert.strictEqual(yield* login(file, "ALICE", "secret"), "alice")
      assert.include(yield* wrong("file:/etc/app/passwords:delimiter=,:plain=no"), "is not hashed")
      assert.include(yield* wrong("file:/nowhere"), "password file /nowhere: it cannot be read")
    })
  )

  it.effect("mistakes are told in words, and no secret is shown", () =>
    Effect.gen(function* () {
      const fileUsage =
        "\nusage: file:PATH[:delimiter=TEXT][:user=NUMBER][:password=NUMBER][:case=keep|ignore][:plain=yes|no]"
      for (const [description, expected] of [
        ["", "authentication: there is no such kind of authentication; there are: anonymous, file, memory"],
        ["memry:alice=hunter2", 'memry: there is no such kind of authentication; did you mean "memory"?'],
        ["memory", "memory: write USER=PASSWORD\nusage: memory:USER=PASSWORD"],
        ["memory:hunter2", "memory: write USER=PASSWORD\nusage: memory:USER=PASSWORD"],
        ["memory:a=hunter2:a=hunter2", "memory: a name is there twice\nusage: memory:USER=PASSWORD"],
        ["memory:a=", "memory: a name or a password is empty\nusage: memory:USER=PASSWORD"],
        [
          "memory:a=hun\\ter2",
          "memory: write \\\\ for a backslash, \\: for a colon, \\= for an equals sign\nusage: memory:USER=PASSWORD"
        ],
        ["anonymous:x", "anonymous: it has no arguments\nusage: anonymous"],
        ["file", `file: the path of the file comes first${fileUsage}`],
        ["file:/x:colour=red", `file: there is no option "colour"${fileUsage}`],
        ["file:/x:toString=red", `file: there is no option "toString"${fileUsage}`],
        ["file:/x:user=-1", `file: user is the number of a field, from 0${fileUsage}`]
      ] as const) {
        const message = yield* wrong(description)
        assert.strictEqual(message, expected)
        assert.notInclude(message, "hunter2")
      }
    })
  )

  it("help", () => {
    assert.strictEqual(
      CheckerDescription.help({ schemes: [stamp] }),
      [
        "  stamp:COLOUR          whoever has a stamp",
        "  anonymous             lets everybody in, as nobody",
        "  file:PATH             a file with a user and a password in each line",
        "  memory:USER=PASSWORD  users and passwords in the description itself"
      ].join("\n")
    )
    assert.strictEqual(
      CheckerDescription.helpOf("memory"),
      [
        "memory:USER=PASSWORD",
        "users and passwords in the description itself",
        "  USER=PASSWORD  a user; any number of them",
        "Others can see the command line of a program: for tests only."
      ].join("\n")
    )
    assert.isUndefined(CheckerDescription.helpOf("nothing"))
  })
})

describe("CheckerSchemePlugin", () => {
  const plugin = (name: string, value: unknown) =>
    installed(name, () => ({ default: value }), { kind: "checker" })

  it.effect("adds kinds of authentication, and imports the one that is named only", () =>
    withRegistry({ ...plugin("stamp", stamp), ...plugin("other", stamp) })((memory) =>
      Effect.gen(function* () {
        const by = (text: string) =>
          Effect.flatMap(CheckerSchemePlugin.schemesFor(text), (schemes) =>
            login(text, "alice", "secret", { schemes })
          )
        assert.strictEqual(yield* by("memory:alice=secret"), "alice")
        assert.deepStrictEqual(memory.imported, [])
        assert.strictEqual(yield* by("stamp:red"), "stamped")
        assert.deepStrictEqual(memory.imported, ["/app/node_modules/stamp/stamp.js"])
      })
    )
  )

  for (const [value, expected] of [
    [undefined, "it is no checker scheme"],
    [{ ...stamp, name: "a b" }, "it has no name that a description can hold"],
    [{ ...stamp, name: "memory" }, `the name "memory" is that of a built-in scheme`],
    [{ ...stamp, doc: 1 }, "doc, arguments or kinds are missing"],
    [{ ...stamp, arguments: [{}] }, "doc, arguments or kinds are missing"],
    [{ ...stamp, make: 1 }, "it has no make"]
  ] as const) {
    it.effect(`refuses what is no scheme: ${expected}`, () =>
      withRegistry(plugin("bad", value))(() =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(CheckerSchemePlugin.schemesFor("bad:x"))
          assert.include(error.message, expected)
        })
      )
    )
  }
})
