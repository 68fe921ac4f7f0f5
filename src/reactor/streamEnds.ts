/** How a stream says that it is over, or not to be had. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Reason from "./Reason.ts"

export const doneExit: Exit.Exit<never, Cause.Done> = Exit.fail(Cause.Done())

export const busy = () => new Reason.Busy({ detail: "another fiber is already receiving on this connection" })
export const closed = () => new Reason.Closed({ detail: "the connection is closed" })
export const endedOutput = () => new Reason.Closed({ detail: "the sending side of the connection has ended" })
