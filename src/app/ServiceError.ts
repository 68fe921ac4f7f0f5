import * as Data from "effect/Data"
import { visible } from "../result/VisibleText.ts"
import type * as ServiceReason from "./ServiceReason.ts"

/** A service cannot be had as it was asked for, or has failed. Its message is one line, for whoever runs the program. */
export class ServiceError extends Data.TaggedError("ServiceError")<{
  /** Which service: `web/http`. */
  readonly path: string
  readonly reason: ServiceReason.ServiceReason
}> {
  override get message(): string {
    return visible(`${this.path}: ${this.reason.message}`)
  }
  /** What the service itself failed with, where it did. */
  override get cause(): unknown {
    return "cause" in this.reason ? this.reason.cause : undefined
  }
}
