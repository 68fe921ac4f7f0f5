import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Configuration from "../../src/app/Configuration.ts"
import * as EndpointConfig from "../../src/app/EndpointConfig.ts"
import { files } from "./configurations.ts"

const lines = (config: Configuration.Shape, sources: Configuration.Sources) =>
  Configuration.load(config, sources).pipe(
    Effect.flip,
    Effect.map((error) =>
      error.message
        .split("\n")
        .slice(1)
        .map((line) => line.trim())
    )
  )

/** Everything that can be seen of an error. */
const everything = (config: Configuration.Shape, sources: Configuration.Sources) =>
  Effect.gen(function* () {
    const error = yield* Effect.flip(Configuration.load(config, sources))
    const explanation = yield* Configuration.explain(config, sources)
    return [
      error.message,
      String(error),
      error.stack,
      JSON.stringify(error),
      JSON.stringify(explanation)
    ].join("\n")
  })

const refuse = (message: string) =>
  Effect.fail(new Config.ConfigError(new ConfigProvider.SourceError({ message })))

describe("ConfigurationError", () => {
  it.effect("tells everything at once: what is wrong, where it came from, what was expected", () =>
    Effect.gen(function* () {
      const config = {
        port: Config.Port("port"),
        level: Config.Literals(["low", "high"], "level"),
        wait: Config.Duration("wait"),
        name: Config.String("name"),
        size: Config.Int("size")
      }
      const found = yield* lines(config, {
        flags: ["port=eighty"],
        environment: { APP_LEVEL: "loud" },
        environmentPrefix: "APP_",
        environmentFiles: [".env"],
        file: "app.toml"
      })
      assert.deepStrictEqual(found, [
        `port: must be an integer, a value between 1 and 65535, not "eighty" (flag --set port)`,
        `level: must be "low" or "high", not "loud" (environment variable APP_LEVEL)`,
        `wait: must be a duration as in 10 seconds, not "2 parsecs" (.env:2 (APP_WAIT))`,
        `name: missing; give --set name=..., environment variable APP_NAME, .env: APP_NAME or name in app.toml`,
        `size: must be an integer, not "large" (app.toml:3 (size))`
      ])
    }).pipe(
      Effect.provide(files({ ".env": "# waits\nAPP_WAIT=2 parsecs", "app.toml": "\n\nsize = 'large'\n" }))
    )
  )

  it.effect("everything inside a Config.all, which stops at the first itself", () =>
    Effect.gen(function* () {
      const config = {
        all: Config.all({
          a: Config.Int("a"),
          b: Config.String("b"),
          c: Config.all({ d: Config.Boolean("d"), e: Config.Int("e").pipe(Config.withDefault(1)) }).pipe(
            Config.nested("c")
          ),
          f: Config.URL("f"),
          g: Config.String("g")
        }).pipe(Config.map((all) => ({ all })))
      }
      const found = yield* lines(config, { flags: ["a=x", "c.d=perhaps", "c.e=y", "b=ok"] })
      assert.deepStrictEqual(
        found.map((line) => line.split(",")[0]),
        [
          `a: must be an integer`,
          `c.d: must be "true" or "yes" or "on" or "1" or "y" or "false" or "no" or "off" or "0" or "n"`,
          `c.e: must be an integer`,
          `f: missing (a valid URL); give --set f=...`,
          `g: missing; give --set g=...`
        ]
      )
    })
  )

  it.effect("what is missing in a schema's table, and what is wrong in it", () =>
    Effect.gen(function* () {
      const pool = Schema.Struct({ min: Schema.Int, max: Schema.Int, name: Schema.String })
      const config = { pool: Config.schema(pool, "pool"), other: Config.schema(pool, "other") }
      const found = yield* lines(config, { flags: ["pool.max=x"] })
      assert.deepStrictEqual(
        found.map((line) => line.split(";")[0]),
        [
          `pool.min: missing (an integer)`,
          `pool.max: must be an integer, not "x" (flag --set pool.max)`,
          `pool.name: missing`,
          `other.min: missing (an integer)`,
          `other.max: missing (an integer)`,
          `other.name: missing`
        ]
      )
    })
  )

  it.effect("an entry of a list", () =>
    Effect.gen(function* () {
      const config = { ports: Config.Array(Schema.Int, "ports") }
      const sources = { file: "app.json" }
      const found = yield* Effect.provide(
        lines(config, sources),
        files({ "app.json": `{"ports": [1,\n"x"]}` })
      )
      assert.deepStrictEqual(found, [`ports.1: must be an integer, not "x" (app.json:2 (ports.1))`])
      assert.deepStrictEqual(yield* lines(config, { flags: ["ports=1,x"] }), [
        `ports: must be an integer, not "1,x" (flag --set ports)`
      ])
    })
  )

  it.effect("what stands in the place of a value", () =>
    Effect.gen(function* () {
      const config = {
        a: Config.Int("a"),
        b: Config.String("b").pipe(Config.nested("table")),
        c: Config.String("c")
      }
      const found = yield* lines(config, { flags: ["c="], environment: { A: "" }, file: "f.json" })
      assert.deepStrictEqual(
        found.map((line) => line.split("; ").slice(2).join("; ")),
        [
          "environment variable A is empty; f.json: it is a table there",
          "f.json: table is a single value there, not a table",
          "flag --set c is empty"
        ]
      )
    }).pipe(Effect.provide(files({ "f.json": `{"a": {"x": 1}, "table": "text"}` })))
  )

  it.effect("the application's own checks, and what they throw", () =>
    Effect.gen(function* () {
      const config = {
        all: Config.all({
          even: Config.Int("even").pipe(
            Config.mapEffect((n) => (n % 2 === 0 ? Effect.succeed(n) : refuse(`${n} is odd`)))
          ),
          host: Config.String("host").pipe(
            Config.map((): string => {
              throw new Error("no such host")
            })
          ),
          after: Config.Int("after")
        })
      }
      const found = yield* lines(config, { flags: ["even=3", "host=h", "after=x"] })
      assert.deepStrictEqual(found, [
        `even: 3 is odd, with "3" (flag --set even)`,
        `host: no such host, with "h" (flag --set host)`,
        `after: must be an integer, not "x" (flag --set after)`
      ])
    })
  )

  it.effect("a check of several values together", () =>
    Effect.gen(function* () {
      const config = {
        range: Config.all({ min: Config.Int("min"), max: Config.Int("max") }).pipe(
          Config.mapEffect((range) =>
            range.min <= range.max ? Effect.succeed(range) : refuse("min is above max")
          )
        )
      }
      assert.deepStrictEqual(yield* lines(config, { flags: ["min=5", "max=1"] }), [
        `max: min is above max, with "1" (flag --set max)`
      ])
    })
  )

  it.effect("an endpoint, with the place of the mistake", () =>
    Effect.gen(function* () {
      const config = { listen: EndpointConfig.server("listen"), other: Config.Int("other") }
      const error = yield* Effect.flip(
        Configuration.load(config, { flags: ["listen=tcp:80:interfce=::1", "other=x"] })
      )
      assert.deepStrictEqual(error.message.split("\n").slice(0, 4), [
        "the configuration has 2 mistakes",
        `  listen: unknown argument "interfce" of tcp (flag --set listen)`,
        "      tcp:80:interfce=::1",
        "             ^^^^^^^^"
      ])
      assert.strictEqual(
        error.message.split("\n").at(-1),
        `  other: must be an integer, not "x" (flag --set other)`
      )
    })
  )

  it.effect("values are cut, on one line, and what cannot be seen is written out", () =>
    Effect.gen(function* () {
      const value = `\u001b[31m\n${"z".repeat(1000)}`
      const [line] = yield* lines({ a: Config.Int("a") }, { flags: [["a", value]] })
      assert.strictEqual(line, `a: must be an integer, not "\\x1b[31m\\n${"z".repeat(34)}..." (flag --set a)`)
    })
  )

  it.effect("flags that are not KEY=VALUE", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* lines({}, { flags: ["a", "=b"] }), [
        `--set takes KEY=VALUE, and number 1 has no "=" behind a key`,
        `--set takes KEY=VALUE, and number 2 has no "=" behind a key`
      ])
    })
  )

  describe("a secret is in no error, however it fails", () => {
    const secret = "hunter2-0451"
    const long = Schema.String.check(Schema.isMinLength(32))
    const talkative = Schema.String.check(Schema.makeFilter((text) => `${text} is too short`))
    const cases: Readonly<Record<string, Config.Config<unknown>>> = {
      "a Redacted that is checked": Config.schema(Schema.Redacted(long), "pin"),
      "a Redacted made of a checked text": Config.schema(Schema.RedactedFromValue(long), "pin"),
      "by its name": Config.schema(long, "apiToken"),
      "by its name, with words of its own": Config.schema(talkative, "dbPassword"),
      "a Redacted, with words of its own": Config.schema(Schema.Redacted(talkative), "pin"),
      "a schema that reports its input": Config.schema(
        Schema.Redacted(long.annotate({ parseOptions: { reportInput: true } })),
        "pin"
      ),
      "a check that quotes it": Config.Redacted("pin").pipe(
        Config.mapEffect((pin) => refuse(`bad: ${Redacted.value(pin)}`))
      ),
      "a check that throws it": Config.Redacted("pin").pipe(
        Config.map((pin) => {
          throw new Error(`bad: ${Redacted.value(pin)}`)
        })
      ),
      "a check with a default, that quotes it": Config.Redacted("pin").pipe(
        Config.map((pin) => {
          throw new Error(`bad: ${Redacted.value(pin)}`)
        }),
        Config.withDefault("x")
      ),
      "a number": Config.Int("signing_key"),
      "in a URL": Config.Int("pin").pipe(Config.nested("x"))
    }
    for (const [name, config] of Object.entries(cases)) {
      it.effect(name, () =>
        Effect.gen(function* () {
          const given = { PIN: secret, API_TOKEN: secret, DB_PASSWORD: secret, SIGNING_KEY: secret }
          const environment = { ...given, X_PIN: `https://ada:${secret}@h/?a=1&api_key=${secret}` }
          const seen = yield* everything(
            { it: config, other: Config.Int("n") },
            { environment, flags: ["n=x"] }
          )
          assert.notInclude(seen, secret)
          assert.include(seen, "environment variable")
        })
      )
    }
  })

  describe("files", () => {
    const bad = (file: string, text: string) =>
      Effect.provide(
        lines({ port: Config.Int("port"), level: Config.Int("level") }, { file, flags: ["level=x"] }),
        files({ [file]: text })
      )

    it.effect("that are not there, or too large; what may be in them is not called missing", () =>
      Effect.gen(function* () {
        const found = yield* lines(
          { port: Config.Int("port"), level: Config.Int("level") },
          { file: "no.toml", environmentFiles: ["no.env"], flags: ["level=x"] }
        )
        assert.deepStrictEqual(found, [
          "no.env: there is no such file",
          "no.toml: there is no such file",
          `level: must be an integer, not "x" (flag --set level)`
        ])
      }).pipe(Effect.provide(files({})))
    )

    it.effect("of no known kind", () =>
      Effect.gen(function* () {
        assert.strictEqual(
          (yield* bad("app.conf", ""))[0],
          "app.conf: its name does not say what it is: it must end in .json, .yaml, .toml or .env"
        )
      })
    )

    it.effect("that hold no keys", () =>
      Effect.gen(function* () {
        for (const [file, text] of [
          ["a.json", "[1]"],
          ["a.yaml", "- 1"]
        ] as const) {
          assert.strictEqual(
            (yield* bad(file, text))[0],
            `${file}: it has no keys at its top: it must be a table of them`
          )
        }
      })
    )

    it.effect("with a mistake: where, and nothing of what stands there", () =>
      Effect.gen(function* () {
        const cases: ReadonlyArray<readonly [file: string, text: string, message: string]> = [
          ["a.json", `{\n "token": hunter2\n}`, "a.json:2:11: not JSON: a value was expected"],
          ["a.json", `{"a": 1,\n}`, "a.json:2:1: not JSON: a comma with nothing behind it"],
          ["a.toml", `a = 1\nb = hunter2`, "a.toml:2:12: not TOML: Invalid value"],
          ["a.toml", `a = 1\na = 2`, "a.toml:2:6: not TOML: Cannot redefine existing key 'a'"],
          ["a.yaml", `a: 1\n\tb: hunter2`, "a.yaml:2: not YAML: Tabs cannot be used for YAML indentation"],
          ["a.yaml", `a: *hunter2`, "a.yaml: not YAML: Unknown YAML alias"]
        ]
        for (const [file, text, message] of cases) assert.strictEqual((yield* bad(file, text))[0], message)
      })
    )

    it.effect("nested without end", () =>
      Effect.gen(function* () {
        const deep = "[".repeat(200_000)
        for (const [file, text] of [
          ["a.json", `{"a": ${deep}`],
          ["a.toml", `a = ${deep}`],
          ["a.yaml", `a: ${deep}`]
        ] as const) {
          assert.match((yield* bad(file, text))[0]!, /nested/)
        }
      })
    )
  })
})
