import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Configuration from "../../src/app/Configuration.ts"
import * as ConfigurationTable from "../../src/app/ConfigurationTable.ts"
import { files } from "./configurations.ts"

const config = {
  port: Config.Port("port").pipe(Config.withDefault(8080)),
  wait: Config.Duration("wait"),
  database: Config.all({
    url: Config.URL("url"),
    pool: Config.Int("pool").pipe(Config.withDefault(4))
  }).pipe(Config.nested("database")),
  hosts: Config.Array(Schema.String, "hosts"),
  proxy: Config.option(Config.String("proxy")),
  apiKey: Config.String("apiKey"),
  pin: Config.Redacted("pin"),
  both: Config.all({ user: Config.String("user"), word: Config.Redacted("word") }).pipe(
    Config.map(({ user, word }) => Redacted.make(`${user}:${Redacted.value(word)}`))
  )
}

const sources: Configuration.Sources = {
  flags: ["wait=5 seconds", "user=ada"],
  environment: { MY_PIN: "1234", MY_API_KEY: "sesame", MY_WORD: "lovelace" },
  environmentPrefix: "MY_",
  environmentFiles: [".env"],
  file: "app.yaml"
}

const disk = files({
  ".env": "MY_HOSTS_0=x\n",
  "app.yaml": "database:\n  url: postgres://ada:difference@db/app?sslmode=on\nhosts: [a, b]\nprot: 1\n"
})

describe("ConfigurationTable", () => {
  it.effect("a row for each key: what holds, and whence; no secrets", () =>
    Effect.gen(function* () {
      const explanation = yield* Configuration.explain(config, sources)
      const text = ConfigurationTable.text(explanation)
      assert.deepStrictEqual(text.split("\n"), [
        "key            value                                        from",
        "port           8080                                         default",
        "wait           5 seconds                                    flag --set wait",
        "database.url   postgres://ada:<redacted>@db/app?sslmode=on  app.yaml:2 (database.url)",
        "database.pool  4                                            default",
        "hosts.0        x                                            .env:1 (MY_HOSTS_0)",
        "proxy          -                                            default",
        "apiKey         <redacted>                                   environment variable MY_API_KEY",
        "pin            <redacted>                                   environment variable MY_PIN",
        "user           <redacted>                                   flag --set user",
        "word           <redacted>                                   environment variable MY_WORD",
        "warning: prot: nothing of this name is asked for (app.yaml:4 (prot)); did you mean port?"
      ])
      assert.notMatch(text, /1234|sesame|lovelace|difference/)
    }).pipe(Effect.provide(disk))
  )

  it.effect("as JSON", () =>
    Effect.gen(function* () {
      const { errors, keys, warnings } = ConfigurationTable.json(
        yield* Configuration.explain(config, sources)
      )
      assert.deepStrictEqual(errors, [])
      assert.strictEqual(warnings.length, 1)
      assert.deepStrictEqual(
        keys.filter(({ key }) => key === "database.url" || key === "port" || key === "pin"),
        [
          { key: "port", value: "8080", secret: false, valid: true, origin: { from: "default" } },
          {
            key: "database.url",
            value: "postgres://ada:<redacted>@db/app?sslmode=on",
            secret: false,
            valid: true,
            origin: { from: "file", path: "app.yaml", key: "database.url", line: 2 }
          },
          {
            key: "pin",
            value: "<redacted>",
            secret: true,
            valid: true,
            origin: { from: "environment", variable: "MY_PIN" }
          }
        ]
      )
    }).pipe(Effect.provide(disk))
  )

  it.effect("with what is wrong", () =>
    Effect.gen(function* () {
      const text = ConfigurationTable.text(
        yield* Configuration.explain(
          { port: Config.Port("port"), name: Config.String("name") },
          { flags: ["port=x"] }
        )
      )
      assert.deepStrictEqual(text.split("\n"), [
        "key   value  from",
        "port  x      flag --set port, wrong",
        "name  -      missing",
        `error: port: must be an integer, a value between 1 and 65535, not "x" (flag --set port)`,
        "error: name: missing; give --set name=..."
      ])
    })
  )

  it.effect("what was loaded shows no secret either", () =>
    Effect.gen(function* () {
      const configured = yield* Configuration.load(config, sources)
      assert.notMatch(JSON.stringify(configured.rows), /1234|sesame|lovelace|difference/)
    }).pipe(Effect.provide(disk))
  )
})
