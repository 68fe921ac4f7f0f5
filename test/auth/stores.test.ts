/** How passwords are kept, and where: formats of others, files that change, tables. With Node's functions, in real time. */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { SecureRandom } from "effect/crypto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { usernamePassword } from "../../src/auth/Credentials.ts"
import * as KeyDerivation from "../../src/auth/KeyDerivation.ts"
import * as PasswordFile from "../../src/auth/PasswordFile.ts"
import * as Wire from "../../src/auth/PasswordFileWire.ts"
import * as PasswordHash from "../../src/auth/PasswordHash.ts"
import * as SqlUsers from "../../src/auth/SqlUsers.ts"
import * as StoredPassword from "../../src/auth/StoredPassword.ts"
import { functions } from "../../src/node/NodeKeyDerivation.ts"
import * as Child from "../support/child.ts"
import { describePeer, twisted } from "../support/peers.ts"
import * as Sqlite from "./sqlite.ts"
import { bytes } from "./sasl.ts"

const node = Layer.mergeAll(KeyDerivation.layer(functions), SecureRandom.layerWebCrypto, NodeFileSystem.layer)

const cheap = { kind: "scrypt", cost: { cost: 16, blockSize: 1, parallelization: 1 } } as const

const verify = (stored: string, password: string) =>
  Effect.gen(function* () {
    return yield* PasswordHash.verify(yield* Effect.fromResult(StoredPassword.parse(stored)), password)
  })

/** A file of its own, and what was logged at level Warning. */
const inFile = <A, E, R>(
  text: string,
  use: (file: string, warnings: ReadonlyArray<string>) => Effect.Effect<A, E, R>
) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "spindle-auth-"))
      fs.writeFileSync(path.join(folder, "passwords"), text, { mode: 0o600 })
      return folder
    }),
    (folder) => {
      const warnings: Array<string> = []
      const logger = Logger.make(({ message }) => {
        warnings.push(String(message))
      })
      return use(path.join(folder, "passwords"), warnings).pipe(Effect.provide(Logger.layer([logger])))
    },
    (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true }))
  )

describe("stored passwords", () => {
  it.live("what others have made is understood", () =>
    Effect.gen(function* () {
      // From the reference program of argon2.
      const argon2 = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
      assert.isTrue(yield* verify(argon2, "password"))
      assert.isFalse(yield* verify(argon2, "passwore"))
      // From passlib's documentation.
      const scrypt =
        "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E"
      assert.isTrue(yield* verify(scrypt, "password"))
      // The keys of RFC 7677's example, as PostgreSQL writes them.
      const pencil = yield* PasswordHash.withSalt(
        "pencil",
        Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64"),
        {
          kind: "scram-sha-256",
          iterations: 4096
        }
      )
      const postgres =
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
      assert.deepStrictEqual(Result.getOrThrow(StoredPassword.parse(postgres)), pencil)
      assert.isTrue(yield* verify(postgres, "pencil"))
      assert.isFalse(yield* verify(postgres, "Pencil"))
    }).pipe(Effect.provide(node))
  )

  it.live("RFC 7914 and 6070: the platform's functions", () =>
    Effect.gen(function* () {
      const { pbkdf2, scrypt } = yield* KeyDerivation.KeyDerivation
      const cost = { cost: 1024, blockSize: 8, parallelization: 16 }
      const key = yield* scrypt!(bytes("password"), bytes("NaCl"), cost, 64)
      assert.strictEqual(
        Buffer.from(key).toString("hex"),
        "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
      )
      for (const hash of ["SHA-1", "SHA-256"] as const) {
        assert.deepStrictEqual(
          yield* pbkdf2(hash, bytes("password"), bytes("salt"), 1500),
          yield* KeyDerivation.pure.pbkdf2(hash, bytes("password"), bytes("salt"), 1500)
        )
      }
      // What OpenSSL refuses is an error, and no defect.
      yield* Effect.flip(scrypt!(bytes("x"), bytes("y"), { ...cost, cost: 1000 }, 64))
    }).pipe(Effect.provide(node))
  )

  it.live("each kind, written and read again", () =>
    Effect.gen(function* () {
      for (const options of [
        cheap,
        { kind: "argon2id", cost: { memoryKibibytes: 64, passes: 1, parallelism: 2 } },
        { kind: "argon2d", cost: { memoryKibibytes: 64, passes: 1, parallelism: 1 } },
        { kind: "scram-sha-256", iterations: 10 },
        { kind: "scram-sha-1", iterations: 10 }
      ] as const) {
        const stored = yield* PasswordHash.make("pässword ☂", options)
        const text = StoredPassword.format(stored)!
        assert.match(text, /^\$[\w-]+\$[!-~]+$/)
        assert.notInclude(text, ":")
        assert.deepStrictEqual(Result.getOrThrow(StoredPassword.parse(text)), stored)
        assert.isTrue(yield* verify(text, "pässword ☂"))
        assert.isFalse(yield* verify(text, "password"))
        assert.notStrictEqual(StoredPassword.format(yield* PasswordHash.make("pässword ☂", options)), text)
      }
    }).pipe(Effect.provide(node))
  )

  it("what cannot be used is refused, and says what it is", () => {
    const refusals: ReadonlyArray<readonly [string, string]> = [
      ["$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC", "it is a bcrypt hash (htpasswd -B)"],
      ["$2b$12$x", "it is a bcrypt hash"],
      ["$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", "it is an apr1 hash (htpasswd's default)"],
      ["{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=", "it is a hash of LDAP's kind (htpasswd -s)"],
      ["$6$rounds=5000$salt$hash", "it is a hash of crypt(3)"],
      ["$y$j9T$x$y", "it is a hash of crypt(3)"],
      ["$pbkdf2-sha256$6400$x$y", "it is a hash of another kind or version"],
      ["$argon2id$m=65536,t=2,p=1$c29tZXNhbHQ$x", "it is an argon2 hash of another version than 1.3"],
      [
        "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "the cost of its argon2 hash is out of bounds"
      ],
      ["$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65", "it is a damaged argon2 hash"],
      [
        "$scrypt$ln=40,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
        "the cost of its scrypt hash is out of bounds"
      ],
      ["$scrypt$16$8$1$x$y", "it is a damaged scrypt hash"],
      ["SCRAM-SHA-256$4096:x", "it is a damaged SCRAM hash"],
      [
        "$scram-sha-256$i=0$W22ZaJ0SNY7soEsUEjb6gQ$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU",
        "the cost of its SCRAM hash is out of bounds"
      ]
    ]
    for (const [stored, expected] of refusals) {
      const read = StoredPassword.parse(stored)
      assert.isTrue(Result.isFailure(read), stored)
      if (Result.isFailure(read)) assert.strictEqual(read.failure.slice(0, expected.length), expected)
    }
    // A password that looks like a hash has no text as itself.
    assert.isUndefined(StoredPassword.format(StoredPassword.plain("{SHA}x")))
    assert.strictEqual(StoredPassword.format(StoredPassword.plain("$ecret")), "$ecret")
  })

  it.prop("nothing throws, and a plain password is itself", [Schema.String], ([text]) => {
    for (const prefix of ["", "$scrypt$", "$argon2id$v=19$", "SCRAM-SHA-256$", "$scram-sha-1$i="]) {
      const read = StoredPassword.parse(prefix + text)
      if (Result.isSuccess(read) && read.success._tag === "Plain" && text.isWellFormed()) {
        assert.strictEqual(StoredPassword.format(read.success), prefix + text)
      }
    }
  })

  it.live("a platform without argon2 says so", () =>
    Effect.gen(function* () {
      const argon2 = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
      const error = yield* Effect.flip(verify(argon2, "password"))
      assert.strictEqual(
        String((error as Error).message),
        "this platform has no argon2id (Node has it since 24.7)"
      )
      yield* inFile(`alice:${argon2}\n`, (file) =>
        Effect.gen(function* () {
          const failed = yield* Effect.flip(PasswordFile.checker({ path: file }))
          assert.include(failed.message, 'the password of "alice": this platform has no argon2id')
        })
      )
    }).pipe(
      Effect.provide([
        KeyDerivation.layer({ ...functions, argon2: undefined }),
        SecureRandom.layerWebCrypto,
        NodeFileSystem.layer
      ])
    )
  )

  it.live("only so many are derived at once", () =>
    Effect.gen(function* () {
      let running = 0
      let most = 0
      const slow = Effect.acquireUseRelease(
        Effect.sync(() => {
          most = Math.max(most, ++running)
        }),
        () => Effect.as(Effect.yieldNow, new Uint8Array(32)),
        () => Effect.sync(() => running--)
      )
      const layer = KeyDerivation.layer({ ...functions, pbkdf2: () => slow }, { concurrencyMax: 2 })
      yield* Effect.forEach(
        Array.from({ length: 20 }),
        () => PasswordHash.saltedPassword("SHA-256", bytes("a"), bytes("b"), 1),
        { concurrency: "unbounded" }
      ).pipe(Effect.provide(layer))
      assert.deepStrictEqual([most, running], [2, 0])
    })
  )
})

describe("password files", () => {
  const names = (entries: Wire.Entries) => [...entries.users.keys()]

  it("the grammar: fields, delimiters, case, white space, the first of a name", () => {
    const passwd = "root:x:0:0\nAlice:pw1:1:1\n\nnothing\nbob:pw 2:9\r\nalice:pw3\nroot:y\n"
    const read = Wire.parse(passwd)
    assert.deepStrictEqual(names(read), ["root", "Alice", "bob", "alice"])
    assert.deepStrictEqual(read.users.get("bob"), StoredPassword.plain("pw 2"))
    assert.deepStrictEqual(read.problems, [{ line: 7, detail: `the name "root" was there before` }])
    assert.deepStrictEqual(names(Wire.parse(passwd, { caseSensitive: false })), ["root", "alice", "bob"])
    const other = Wire.parse("1,pw,alice\n2,pw:2,bob\n", {
      delimiter: ",",
      usernameField: 2,
      passwordField: 1
    })
    assert.deepStrictEqual(other.users.get("bob"), StoredPassword.plain("pw:2"))
    assert.deepStrictEqual(Wire.parse("a:b\n", { plain: false }).problems, [
      { line: 1, detail: 'the password of "a" is not hashed' }
    ])
  })

  const field = Schema.String.check(Schema.isMinLength(1))

  it.prop("what can be written is read back", [field, field], ([name, password]) => {
    const line = Wire.format(name, StoredPassword.plain(password))
    if (line === undefined || !password.isWellFormed()) return
    assert.deepStrictEqual(Wire.parse(line).users, new Map([[name, StoredPassword.plain(password)]]))
  })

  it("what cannot is not written", () => {
    for (const [name, password] of [
      ["a:b", "c"],
      ["a", "b:c"],
      ["a\nroot", "b"],
      ["a", "b\nroot:x"],
      ["a", "b "],
      ["a", "{SHA}x"]
    ] as const) {
      assert.isUndefined(Wire.format(name, StoredPassword.plain(password)))
    }
  })

  it("long lines of white space cost no more than their length", () => {
    assert.strictEqual(Wire.parse(`a:${" ".repeat(1_000_000)}b\n`).users.size, 1)
  })

  it.live("logs in, and sees what has changed", () =>
    inFile("alice:secret\n", (file, warnings) =>
      Effect.gen(function* () {
        const checker = yield* PasswordFile.checker({ path: file })
        const login = (name: string, password: string) =>
          Effect.map(Effect.result(checker.check(usernamePassword(name, password))), (result) =>
            Result.isSuccess(result) ? result.success : result.failure.reason._tag
          )
        assert.strictEqual(yield* login("alice", "secret"), "alice")
        assert.strictEqual(yield* login("bob", "builder"), "Unauthorized")
        const hashed = Wire.format("bob", yield* PasswordHash.make("builder", cheap))!
        fs.writeFileSync(file, `alice:other\n${hashed}carol:$2y$05$abcdefgh\n`)
        assert.strictEqual(yield* login("alice", "secret"), "Unauthorized")
        assert.strictEqual(yield* login("alice", "other"), "alice")
        assert.strictEqual(yield* login("bob", "builder"), "bob")
        assert.strictEqual(yield* login("carol", "$2y$05$abcdefgh"), "Unauthorized")
        assert.lengthOf(warnings, 1)
        assert.include(warnings[0]!, `line 3: the password of "carol": it is a bcrypt hash`)
        assert.notInclude(warnings[0]!, "abcdefgh")
        fs.renameSync(file, `${file}.gone`)
        assert.strictEqual(yield* login("bob", "builder"), "CheckerFailed")
        fs.renameSync(`${file}.gone`, file)
        assert.strictEqual(yield* login("bob", "builder"), "bob")
      })
    ).pipe(Effect.provide(node))
  )

  it.live("a file that everybody can read or write is warned of, whenever that begins", () =>
    inFile("alice:secret\n", (file, warnings) =>
      Effect.gen(function* () {
        const checker = yield* PasswordFile.checker({ path: file })
        const login = checker.check(usernamePassword("alice", "secret"))
        yield* login
        assert.deepStrictEqual(warnings, [])
        for (const [mode, warning] of [
          [0o640, undefined],
          [0o644, "everybody on this machine can read it"],
          [0o622, "everybody on this machine can write it, and be anybody here"],
          [0o600, undefined]
        ] as const) {
          const before = warnings.length
          fs.chmodSync(file, mode)
          yield* login
          yield* login
          assert.deepStrictEqual(
            warnings.slice(before),
            warning === undefined ? [] : [`password file ${file}: ${warning}`]
          )
        }
      })
    ).pipe(Effect.provide(node))
  )

  it.live("what nobody can log in by is told at once", () =>
    inFile("alice:$2y$05$abc\nbob:{SHA}xyz\n", (file, warnings) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(PasswordFile.checker({ path: file }))
        assert.strictEqual(
          error.message,
          `password file ${file}: some lines cannot be used\n` +
            `  line 1: the password of "alice": it is a bcrypt hash (htpasswd -B), which is not supported: store one of scrypt or argon2id\n` +
            `  line 2: the password of "bob": it is a hash of LDAP's kind (htpasswd -s), which is not supported: store one of scrypt or argon2id`
        )
        yield* PasswordFile.checker({ path: file, onProblem: "warn" })
        assert.lengthOf(warnings, 1)
        const missing = yield* Effect.flip(PasswordFile.checker({ path: `${file}.not` }))
        assert.include(missing.message, "it cannot be read")
        const big = yield* Effect.flip(PasswordFile.checker({ path: file, bytesMax: 10 }))
        assert.include(big.message, "more than 10 bytes")
      })
    ).pipe(Effect.provide(node))
  )
})

describe("tables", () => {
  it.live("logs in by any columns; what is plain is refused unless that is wanted", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`CREATE TABLE accounts (number INTEGER, email TEXT, hash TEXT)`
      const hash = StoredPassword.format(yield* PasswordHash.make("secret", cheap))
      yield* sql`INSERT INTO accounts VALUES (7, 'alice@example.org', ${hash}), (8, 'bob@example.org', 'builder')`
      const columns = { table: "accounts", username: "email", password: "hash", id: "number" }
      const checker = yield* SqlUsers.checker(columns)
      assert.strictEqual(yield* checker.check(usernamePassword("alice@example.org", "secret")), "7")
      const failures = [
        yield* Effect.flip(checker.check(usernamePassword("alice@example.org", "x"))),
        yield* Effect.flip(checker.check(usernamePassword("bob@example.org", "builder"))),
        yield* Effect.flip(checker.check(usernamePassword("' OR 1=1 --", "secret")))
      ]
      assert.deepStrictEqual(
        failures.map(({ reason }) => reason._tag),
        ["Unauthorized", "Unauthorized", "Unauthorized"]
      )
      const plain = yield* SqlUsers.checker({ ...columns, plain: true })
      assert.strictEqual(yield* plain.check(usernamePassword("bob@example.org", "builder")), "8")
      yield* sql`DROP TABLE accounts`
      const broken = yield* Effect.flip(checker.check(usernamePassword("alice@example.org", "secret")))
      assert.deepStrictEqual([broken.reason._tag, broken.fault], ["CheckerFailed", "Local"])
    }).pipe(Effect.provide([node, Sqlite.layer, Logger.layer([])]))
  )
})

describePeer(twisted(), (python) => {
  const script = `
import sys, json
from twisted.cred.checkers import FilePasswordDB
from twisted.cred.credentials import UsernamePassword, CramMD5Credentials
path, options, tries = json.loads(sys.stdin.read())
db = FilePasswordDB(path, **{k: (v.encode() if k == "delim" else v) for k, v in options.items()})
for name, password in tries:
    out = []
    db.requestAvatarId(UsernamePassword(name.encode(), password.encode())).addCallbacks(lambda who: out.append(who.decode()), lambda f: out.append(None))
    print(json.dumps(out[0]))
`
  const theirs = (file: string, options: object, tries: ReadonlyArray<readonly [string, string]>) =>
    Effect.map(
      Child.run(python, ["-c", script], { input: JSON.stringify([file, options, tries]) }),
      ({ code, stderr, stdout }) => {
        assert.strictEqual(code, 0, stderr)
        return stdout
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as string | null)
      }
    )
  const ours = Effect.fnUntraced(function* (
    options: PasswordFile.Options,
    tries: ReadonlyArray<readonly [string, string]>
  ) {
    const checker = yield* PasswordFile.checker(options)
    return yield* Effect.forEach(tries, ([name, password]) =>
      Effect.orElseSucceed(
        Effect.map(checker.check(usernamePassword(name, password)), (id) => id as string | null),
        () => null
      )
    )
  })
  const tries = [
    ["alice", "secret"],
    ["alice", "Secret"],
    ["ALICE", "secret"],
    ["bob", "two words"],
    ["bob", "two words "],
    ["carol", ""],
    ["dörte", "pässword"],
    ["erin", "1:2"],
    ["erin", "1"],
    ["nobody", "x"],
    ["", "x"]
  ] as const

  it.live("FilePasswordDB and we let in the same, by one file", () =>
    inFile("alice:secret\nbob:two words  \ndörte:pässword\nerin:1:2\nshort\n\n", (file) =>
      Effect.gen(function* () {
        for (const [their, own] of [
          [{}, {}],
          [{ caseSensitive: false }, { caseSensitive: false }],
          [
            { usernameField: 1, passwordField: 0 },
            { usernameField: 1, passwordField: 0 }
          ],
          [{ delim: " " }, { delimiter: " " }]
        ] as const) {
          assert.deepStrictEqual(
            yield* ours({ path: file, ...own }, tries),
            yield* theirs(file, their, tries),
            JSON.stringify(own)
          )
        }
      })
    ).pipe(Effect.provide(node))
  )

  it.live("FilePasswordDB reads what we write", () =>
    inFile(
      [
        ["alice", "secret"],
        ["bob", "two words"],
        ["dörte", "pässword"]
      ]
        .map(([name, password]) => Wire.format(name!, StoredPassword.plain(password!)))
        .join(""),
      (file) =>
        Effect.gen(function* () {
          const answers = yield* theirs(file, {}, tries)
          assert.deepStrictEqual(answers, yield* ours({ path: file }, tries))
          assert.deepStrictEqual(
            answers.filter((who) => who !== null),
            ["alice", "bob", "dörte"]
          )
        })
    ).pipe(Effect.provide(node))
  )
})
