import { assert, describe, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Configuration from "../../src/app/Configuration.ts"
import { files } from "./configurations.ts"

const config = {
  port: Config.Port("port").pipe(Config.withDefault(8080)),
  maxConnections: Config.Int("maxConnections").pipe(Config.withDefault(100)),
  database: Config.all({
    url: Config.String("url"),
    pool: Config.Int("pool").pipe(Config.withDefault(4))
  }).pipe(Config.nested("database")),
  token: Config.Redacted("token")
}

const complete = ["database.url=db:1", "token=geheim"]

const value = (sources: Configuration.Sources) =>
  Effect.map(Configuration.load(config, sources), (configured) => configured.value)

describe("Configuration", () => {
  describe("load", () => {
    it.effect("gives what the record's Configs give", () =>
      Effect.gen(function* () {
        const found = yield* value({ flags: complete })
        assert.deepStrictEqual(
          { ...found, token: Redacted.value(found.token) },
          { port: 8080, maxConnections: 100, database: { url: "db:1", pool: 4 }, token: "geheim" }
        )
      })
    )

    it.effect(
      "takes flags before the environment, that before files of variables, these before the file",
      () =>
        Effect.gen(function* () {
          const all = ["port=1"]
          const environment = { PORT: "2", DATABASE_URL: "from-environment" }
          const environmentFiles = ["a.env", "b.env"]
          const from = (sources: Configuration.Sources) =>
            Effect.map(value({ ...sources, file: "app.json" }), ({ port }) => port)
          assert.strictEqual(yield* from({ flags: all, environment, environmentFiles }), 1)
          assert.strictEqual(yield* from({ environment, environmentFiles }), 2)
          assert.strictEqual(yield* from({ environmentFiles }), 3)
          assert.strictEqual(yield* from({ environmentFiles: ["b.env"] }), 4)
          assert.strictEqual(yield* from({}), 5)
        }).pipe(
          Effect.provide(
            files({
              "a.env": "PORT=3",
              "b.env": "PORT=4",
              "app.json": `{ "port": 5, "token": "t", "database": { "url": "from-file" } }`
            })
          )
        )
    )

    it.effect("the last of several flags holds; a flag may hold an equals sign; an empty one is none", () =>
      Effect.gen(function* () {
        const { database, port } = yield* value({
          flags: ["port=1", "port=2", "database.url=a=b", "token=t", "maxConnections="]
        })
        assert.deepStrictEqual([port, database.url], [2, "a=b"])
      })
    )

    it.effect("reads variables by constant case, behind a prefix", () =>
      Effect.gen(function* () {
        const environment = {
          MYAPP_PORT: "81",
          MYAPP_MAX_CONNECTIONS: "7",
          MYAPP_DATABASE_URL: "db",
          MYAPP_TOKEN: "t",
          PORT: "82"
        }
        const found = yield* value({ environment, environmentPrefix: "MYAPP_" })
        assert.deepStrictEqual([found.port, found.maxConnections, found.database.url], [81, 7, "db"])
      })
    )

    it.effect("a variable whose name goes on hides nothing", () =>
      Effect.gen(function* () {
        const { port } = yield* value({
          flags: complete,
          environment: { PORT_RANGE: "1-2" },
          file: "app.json"
        })
        assert.strictEqual(port, 5)
      }).pipe(Effect.provide(files({ "app.json": `{"port": 5}` })))
    )

    it.effect(
      "entries of a list stand above a list below; in the environment they may be something else",
      () =>
        Effect.gen(function* () {
          const shape = { port: Config.Int("port"), hosts: Config.Array(Schema.String, "hosts") }
          const { value: found } = yield* Configuration.load(shape, {
            flags: ["hosts.0=x"],
            environment: { HOSTS: "a,b", PORT_0: "1" },
            file: "app.json"
          })
          assert.deepStrictEqual(found, { port: 5, hosts: ["x"] })
          const loose = { ports: Config.Array(Schema.String, "ports") }
          const { value: text } = yield* Configuration.load(loose, {
            environment: { PORTS_0: "9" },
            environmentFiles: [".env"]
          })
          assert.deepStrictEqual(text.ports, ["1", "2"])
        }).pipe(Effect.provide(files({ "app.json": `{"port": 5}`, ".env": "PORTS=1,2" })))
    )

    it.effect("records in records, schemas, lists and tables", () =>
      Effect.gen(function* () {
        const shape = {
          inner: { level: { deep: Config.Duration("deep") } },
          hosts: Config.Array(Schema.String, "hosts"),
          flagHosts: Config.Array(Schema.Int, "ports"),
          labels: Config.Record(Schema.String, Schema.Int, "labels"),
          pool: Config.schema(Schema.Struct({ min: Schema.Int, max: Schema.Int }), "pool")
        }
        const { value: found } = yield* Configuration.load(shape, {
          flags: ["deep=2 seconds", "ports=1,2", "pool.max=9", "labels.b=2"],
          file: "app.yaml"
        })
        assert.deepStrictEqual(found.hosts, ["a", "b"])
        assert.deepStrictEqual(found.flagHosts, [1, 2])
        assert.deepStrictEqual(found.labels, { a: 1, b: 2 })
        assert.deepStrictEqual(found.pool, { min: 1, max: 9 })
      }).pipe(
        Effect.provide(files({ "app.yaml": "hosts: [a, b]\nlabels:\n  a: 1\npool: { min: 1, max: 2 }\n" }))
      )
    )

    it.effect("a Config that depends on another", () =>
      Effect.gen(function* () {
        const shape = {
          host: Config.Literals(["dev", "prod"], "mode").pipe(
            Config.flatMap((mode) => Config.String("host").pipe(Config.nested(mode)))
          )
        }
        const { value: found } = yield* Configuration.load(shape, { flags: ["mode=prod", "prod.host=h"] })
        assert.strictEqual(found.host, "h")
      })
    )

    it.effect("an alternative is taken without complaint", () =>
      Effect.gen(function* () {
        const shape = { port: Config.Int("port").pipe(Config.orElse(() => Config.Int("otherPort"))) }
        const { value: found } = yield* Configuration.load(shape, { flags: ["port=x", "otherPort=3"] })
        assert.strictEqual(found.port, 3)
      })
    )

    it.effect("names that objects have anyway are keys like any other", () =>
      Effect.gen(function* () {
        const shape = {
          a: Config.option(Config.String("constructor")),
          b: Config.option(Config.String("toString"))
        }
        const { value: found } = yield* Configuration.load(shape, { environment: {}, file: "app.json" })
        assert.strictEqual(found.a._tag, "None")
        assert.strictEqual(found.b._tag, "None")
      }).pipe(Effect.provide(files({ "app.json": "{}" })))
    )
  })

  describe("keys that nothing asks for", () => {
    const warnings = (sources: Configuration.Sources) =>
      Effect.map(Configuration.load(config, sources), (configured) => configured.warnings)

    it.effect("in a file: a warning, with the key that was meant; a whole table is one", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* warnings({ flags: complete, file: "app.toml" }), [
          "prot: nothing of this name is asked for (app.toml:1 (prot)); did you mean port?",
          "max_connections: nothing of this name is asked for (app.toml:2 (max_connections)); did you mean maxConnections?",
          "database.poool: nothing of this name is asked for (app.toml:4 (database.poool)); did you mean database.pool?",
          "logging: nothing of this name is asked for (app.toml:5 (logging))"
        ])
      }).pipe(
        Effect.provide(
          files({
            "app.toml": "prot = 1\nmax_connections = 2\n[database]\npoool = 3\n[logging]\na = 1\nb = 2\n"
          })
        )
      )
    )

    it.effect("on the command line: a mistake", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Configuration.load(config, { flags: [...complete, "prot=1"] }))
        assert.strictEqual(
          error.message,
          "the configuration has a mistake\n  prot: nothing of this name is asked for (flag --set prot); did you mean port?"
        )
      })
    )

    it.effect("aliases of aliases in YAML take no time", () =>
      Effect.gen(function* () {
        const levels = Array.from({ length: 30 }, (_, i) => `l${i + 1}: &l${i + 1} [*l${i}, *l${i}]`)
        const text = ["l0: &l0 x", ...levels].join("\n")
        const found = yield* Effect.provide(
          warnings({ flags: complete, file: "app.yaml" }),
          files({ "app.yaml": text })
        )
        assert.strictEqual(found.at(-1), "and 11 more keys that nothing asks for")
      })
    )
  })

  describe("reload", () => {
    it.effect("tells the keys that have another value, not those that come from elsewhere", () =>
      Effect.gen(function* () {
        const texts: Record<string, string> = {
          "app.toml": "port = 1\ntoken = 'one'\n[database]\nurl = 'u'\n"
        }
        yield* Effect.gen(function* () {
          const sources = { file: "app.toml" }
          const first = yield* Configuration.load(config, sources)
          assert.deepStrictEqual((yield* Configuration.reload(config, sources, first)).changes, [])
          texts["app.toml"] = "token = 'two'\nmaxConnections = 5\n[database]\nurl = 'u'\n"
          const { changes, configured } = yield* Configuration.reload(
            config,
            { ...sources, flags: ["database.url=u"] },
            first
          )
          assert.strictEqual(configured.value.maxConnections, 5)
          assert.deepStrictEqual(changes.map(Configuration.changeText), [
            "port: 1 -> 8080 (default)",
            "maxConnections: 100 -> 5 (app.toml:2 (maxConnections))",
            "token: <redacted> -> <redacted> (app.toml:1 (token))"
          ])
        }).pipe(Effect.provide(files(texts)))
      })
    )

    it.effect("fails as load does", () =>
      Effect.gen(function* () {
        const first = yield* Configuration.load(config, { flags: complete })
        const error = yield* Effect.flip(
          Configuration.reload(config, { flags: ["port=x", ...complete] }, first)
        )
        assert.deepStrictEqual(
          error.issues.map((issue) => issue._tag),
          ["Invalid"]
        )
      })
    )
  })
})
