/** The terminal of a program, as a transport: one stream, both ways. */
import * as Effect from "effect/Effect"
import * as NetAddress from "effect/net/NetAddress"
import type { TransportReason } from "../reactor/ReactorError.ts"
import * as Reason from "../reactor/Reason.ts"
import { receiveBytesMaxDefault, sendBytesMaxDefault } from "../reactor/StreamLimits.ts"
import { type Secured, StreamTransport } from "../reactor/StreamTransport.ts"
import * as Tls from "../reactor/Tls.ts"
import type { Turn } from "../reactor/Turn.ts"
import type { Pty } from "./NodeProcessPty.ts"

/** What Ctrl-D types. */
const endOfInput = "\x04"

export class NodeProcessTerminal extends StreamTransport {
  readonly local: NetAddress.SocketAddress
  readonly peer: NetAddress.SocketAddress
  readonly security: Tls.Security = Tls.plain
  private readonly pty: Pty
  private readonly hangUp: () => void
  private dropping = false

  constructor(turn: Turn, program: string, pty: Pty, hangUp: () => void) {
    super(turn, { receiveBytesMax: receiveBytesMaxDefault, sendBytesMax: sendBytesMaxDefault })
    this.local = NetAddress.unixPathAddress(`${program} (terminal)`)
    this.peer = this.local
    this.pty = pty
    this.hangUp = hangUp
    pty.onData((data) => {
      if (!this.dropping) this.onBytes(typeof data === "string" ? Buffer.from(data) : data)
    })
  }

  /** The library says nothing of what is on its way: nobody waits. */
  protected writeOut(pieces: ReadonlyArray<Uint8Array | string>): boolean {
    for (const piece of pieces) this.pty.write(typeof piece === "string" ? piece : Buffer.from(piece))
    return true
  }

  protected pauseInput(): void {
    this.pty.pause()
  }

  protected resumeInput(): void {
    this.pty.resume()
  }

  protected endOutput(): void {
    this.pty.write(endOfInput)
  }

  protected closeOutput(): void {
    this.onClosed()
  }

  protected resetNow(): void {
    this.hangUp()
    this.onClosed()
  }

  protected unreportedBytes(): number {
    return 0
  }

  protected secure(): Effect.Effect<Secured, TransportReason> {
    return Effect.fail(new Reason.Unsupported({ detail: "a terminal does not change to TLS" }))
  }

  /** What the program still says is for nobody, and must not hold it up. */
  drop(): void {
    this.dropping = true
    this.pty.resume()
  }

  /** The program is gone. */
  ended(): void {
    this.onEnd()
    this.onClosed()
  }
}
