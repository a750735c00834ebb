"""Learn the rule of events from ordinary footage, so that it raises a wanted number of false alarms.

footage      scores of ordinary videos, or of a store of their features
learn        the rule, and the interval of its rate of alarms
calibrate    both together, written into the model's file
"""
