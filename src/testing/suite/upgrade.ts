/** Both sides of a change to TLS. */
import * as Effect from "effect/Effect"
import type * as Tls from "../../reactor/Tls.ts"
import type { Transport } from "../../reactor/Transport.ts"
import { take, takeText } from "./bytes.ts"
import { equal } from "./check.ts"

export const goAhead = "220 go ahead\r\n"

/** Both sides of an upgrade, as STARTTLS does it: the server's reply is the last plaintext. */
export const upgrade = (
  client: Transport,
  server: Transport,
  tls: { readonly client: Tls.ClientOptions; readonly server: Tls.ServerOptions }
) =>
  Effect.all(
    [
      Effect.andThen(takeText(client, goAhead.length), (reply) => {
        equal(reply, goAhead, "the go-ahead")
        return client.startTls({ role: "client", tls: tls.client })
      }),
      server.startTls({ role: "server", tls: tls.server, reply: goAhead })
    ],
    { concurrency: "unbounded" }
  )

/** How both sides of an upgrade end when it cannot succeed. */
export const upgradeExits = (...[client, server, tls]: Parameters<typeof upgrade>) =>
  Effect.all(
    [
      Effect.exit(
        Effect.andThen(take(client, goAhead.length), () =>
          client.startTls({ role: "client", tls: tls.client })
        )
      ),
      // With TLS 1.3 the server is through before the client has judged its certificate: it learns by receiving.
      Effect.exit(
        Effect.flatMap(
          server.startTls({ role: "server", tls: tls.server, reply: goAhead }),
          (secured) => secured.receive
        )
      )
    ],
    { concurrency: "unbounded" }
  )
