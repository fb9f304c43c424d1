"""Statistics for comparing models. The functions take arrays and return numbers."""

from btlib.stats.crossed import Crossed, Variance, crossed, moderated, pooled
from btlib.stats.discordant import McNemar, discordant, mcnemar, mcnemar_from_counts
from btlib.stats.drawn import (
    DrawnInterval,
    crossed_from_draws,
    drawn_interval,
    interaction_from_draws,
    sample_weights,
)
from btlib.stats.effect import OddsRatio, cohens_dz, matched_odds_ratio, rank_biserial
from btlib.stats.equivalence import Equivalence, inside_margin, tost
from btlib.stats.mean_test import FamilyTests, family_tests
from btlib.stats.multiplicity import holm, resamples_for
from btlib.stats.paired import PairedDifference, PairedDifferences, paired, paired_many, percentile_levels
from btlib.stats.power import Enough, detectable, enough, p_pass, p_regressed, with_numbers
from btlib.stats.proportion import Proportion, wilson
from btlib.stats.published import crossed_with_published
from btlib.stats.ranking import Ranking, rank_models
from btlib.stats.ratio import Speedup, speedup
from btlib.stats.repeated import corrected_t
from btlib.stats.signed_ranks import SignedRanks, wilcoxon
from btlib.stats.spread import between_seeds, interaction, share_of_folds
from btlib.stats.student import TTest, implied_correlation, paired_t, paired_t_from_summary, t_test
from btlib.stats.unpaired import Interval, design_effect, unpaired, unpaired_mean_difference

__all__ = [
    "Crossed",
    "DrawnInterval",
    "Enough",
    "Equivalence",
    "FamilyTests",
    "Interval",
    "McNemar",
    "OddsRatio",
    "PairedDifference",
    "PairedDifferences",
    "Proportion",
    "Ranking",
    "SignedRanks",
    "Speedup",
    "TTest",
    "Variance",
    "between_seeds",
    "cohens_dz",
    "corrected_t",
    "crossed",
    "crossed_from_draws",
    "crossed_with_published",
    "design_effect",
    "detectable",
    "discordant",
    "drawn_interval",
    "enough",
    "family_tests",
    "holm",
    "implied_correlation",
    "inside_margin",
    "interaction",
    "interaction_from_draws",
    "matched_odds_ratio",
    "mcnemar",
    "mcnemar_from_counts",
    "moderated",
    "p_pass",
    "p_regressed",
    "paired",
    "paired_many",
    "paired_t",
    "paired_t_from_summary",
    "percentile_levels",
    "pooled",
    "rank_biserial",
    "rank_models",
    "resamples_for",
    "sample_weights",
    "share_of_folds",
    "speedup",
    "t_test",
    "tost",
    "unpaired",
    "unpaired_mean_difference",
    "wilcoxon",
    "wilson",
    "with_numbers",
]
