import { fileURLToPath } from "node:url";
import { SepError } from "../../errors.ts";
import type { FigureFormat } from "../../report/figure.ts";

/** Turns the SVG of a figure (`figureSvg`) into the bytes of another format. */
type FigurePrinter = (svg: string, title: string) => Promise<Uint8Array>;

/**
 * Loads the writer of figures in a format. The packages for PDF and PNG are optional dependencies: without
 * them still has the SVG.
 * @throws SepError `figures-unavailable` if they are not installed
 */
export async function loadFigurePrinter(format: FigureFormat): Promise<FigurePrinter> {
  if (format === "svg") return async (svg) => Buffer.from(svg);
  try {
    return format === "pdf" ? await loadPdfPrinter() : await loadPngPrinter();
  } catch (cause) {
    throw new SepError(
      "figures-unavailable",
      `Figures as ${format.toUpperCase()} need optional packages that are not installed here: ${(cause as Error).message.split("\n")[0]}. Install this package without --omit=optional, or ask for --figures svg.`,
      { cause },
    );
  }
}

/** Of the page in the file's metadata: a time would make the bytes differ from run to run. */
const FIXED_DATE = new Date("2000-01-01T00:00:00Z");
const POINTS_PER_PIXEL = 0.75;

/** Vectors, and text that stays text, in an embedded font as journals ask for. */
async function loadPdfPrinter(): Promise<FigurePrinter> {
  const { default: PdfDocument } = await import("pdfkit");
  const { default: drawSvg } = await import("svg-to-pdfkit");
  const fonts = findFonts();
  return async (svg, title) => {
    const size = readSize(svg).map((pixels) => pixels * POINTS_PER_PIXEL) as [number, number];
    const document = new PdfDocument({
      size,
      margin: 0,
      font: fonts.regular,
      info: { Title: title, CreationDate: FIXED_DATE },
    });
    const chunks: Uint8Array[] = [];
    const ended = new Promise<void>((resolve, reject) => {
      document.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      document.on("end", resolve);
      document.on("error", reject);
    });
    drawSvg(document, svg, 0, 0, {
      fontCallback: (_family, bold) => (bold ? fonts.bold : fonts.regular),
      // a partly drawn figure would be worse than none
      warningCallback: (warning) => {
        throw new RangeError(`svg-to-pdfkit: ${warning}`);
      },
    });
    document.end();
    await ended;
    return Buffer.concat(chunks);
  };
}

/** 300 dots an inch, where an inch has 96 pixels. */
const PNG_SCALE = 300 / 96;

/** PNG for slides and web pages; with the package's own fonts, since a container often has none. */
async function loadPngPrinter(): Promise<FigurePrinter> {
  const { Resvg } = await import("@resvg/resvg-js");
  const fonts = findFonts();
  return async (svg) =>
    new Resvg(svg, {
      fitTo: { mode: "zoom", value: PNG_SCALE },
      font: {
        fontFiles: [fonts.regular, fonts.bold],
        loadSystemFonts: false,
        defaultFontFamily: "Arimo",
        sansSerifFamily: "Arimo",
      },
    })
      .render()
      .asPng();
}

/** Arimo, whose letters are as wide as those of Helvetica and Arial, in two weights. */
function findFonts(): { readonly regular: string; readonly bold: string } {
  const find = (path: string): string => fileURLToPath(import.meta.resolve(path));
  return {
    regular: find("@expo-google-fonts/arimo/400Regular/Arimo_400Regular.ttf"),
    bold: find("@expo-google-fonts/arimo/700Bold/Arimo_700Bold.ttf"),
  };
}

function readSize(svg: string): [number, number] {
  const [, width, height] = /<svg [^>]*?width="(\d+)" height="(\d+)"/.exec(svg) ?? [];
  return [Number(width), Number(height)];
}

/** Scripts that the font of PDF and PNG files covers; letters of others show as boxes. */
const COVERED =
  /^[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Hebrew}\p{Script=Common}\p{Script=Inherited}]*$/u;

/** Whether all of a figure's text can be set in the font of PDF and PNG files. */
export const isPrintable = (svg: string): boolean =>
  COVERED.test(svg) && !/\p{Extended_Pictographic}/u.test(svg);
