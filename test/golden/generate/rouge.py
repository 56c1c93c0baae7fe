"""Stems of NLTK's Porter stemmer, and ROUGE-L of rouge_score.

Install: pip install rouge-score nltk
Run: python rouge.py > ../rouge.json
Versions: rouge-score 0.1.2, nltk 3.10.
"""
import json
import random
from importlib.metadata import version

from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer

random.seed(0)
stemmer = PorterStemmer()
ENDINGS = (
    "s sses ies ss ied eed ed ing at bl iz y ational tional enci anci izer bli alli entli eli ousli ization ation "
    "ator alism iveness fulness ousness aliti iviti biliti fulli logi icate ative alize iciti ical ful ness al ance "
    "ence er ic able ible ant ement ment ent ion sion tion ou ism ate iti ous ive ize e ll ly ally ness"
).split()
REAL = (
    "caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated troubled sized hopping "
    "tanned falling hissing fizzed failing filing happy sky skies dying lying news innings proceed succeed relational "
    "conditional rational valency hesitancy digitizer conformably radically differently vilely analogously "
    "vietnamization predication operator feudalism decisiveness hopefulness callousness formality sensitivity "
    "sensibility triplicate formative formalize electricity electrical hopeful goodness revival allowance inference "
    "airliner gyroscopic adjustable defensible irritant replacement adjustment dependent adoption homologous "
    "communism activate angularity effective bowdlerize probate rate cease controlling rolling flies dies spied died "
    "enjoy enjoyment apology archaeology geology theological by yyyy syzygy toy running nationally quickly a is the"
).split()
made = {
    "".join(random.choice("aeioubcdlmnrstyz") for _ in range(random.randint(0, 5))) + random.choice(ENDINGS)
    for _ in range(1500)
}
words = sorted(made | set(REAL))

scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=True)
VOCABULARY = "The answer is 42, forty-two runs running ran quickly quick nation's national nationally 3.14 Paris paris".split()
pairs = []
for _ in range(60):
    a, b = (" ".join(random.choices(VOCABULARY, k=random.randint(0, 9))) for _ in range(2))
    pairs.append([a, b, scorer.score(a, b)["rougeL"].fmeasure])
greek = "Η Αθήνα"
print(json.dumps({
    "versions": {name: version(name) for name in ["rouge-score", "nltk"]},
    "stems": [[word, stemmer.stem(word)] for word in words],
    "pairs": pairs,
    # known fault: letters outside of a to z are no letters
    "greek": [greek, scorer.score(greek, greek)["rougeL"].fmeasure],
}, separators=(",", ":")))
