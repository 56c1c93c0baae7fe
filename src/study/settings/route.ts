import { z } from "zod";
import { setting } from "./setting.ts";

/** Whose answers a cascade gives, what they cost, and what it promises. */
export const ROUTE_SETTINGS = {
  by: setting(
    z.enum(["accuracy", "se"]).default("accuracy"),
    "Probe of the study whose score decides: the accuracy probe or the SE probe.",
  ),
  targetRisk: setting(
    z.number().gt(0).lt(1).default(0.1),
    "Largest share of wrong answers of both models together. A threshold that guarantees it is chosen on the validation questions; docs/route.md.",
  ),
  costSmall: setting(z.number().min(0).default(1), "Cost of an answer, or a token, of the study's model."),
  costLarge: setting(z.number().gt(0).default(10), "Cost of an answer, or a token, of the large model."),
  costPer: setting(
    z.enum(["answer", "token"]).default("answer"),
    "What --cost-small and --cost-large are the price of: an answer, or a generated token.",
  ),
};
